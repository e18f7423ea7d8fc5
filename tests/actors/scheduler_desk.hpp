#pragma once

#include <caf/typed_event_based_actor.hpp>
#include <sstream>
#include <string>

#include "actors/executor.hpp"
#include "actors/loader.hpp"
#include "actors/payloads.hpp"
#include "actors/scheduler.hpp"
#include "actors/telemetry.hpp"
#include "tests/actors/fake_adapters.hpp"
#include "tests/actors/fake_executor.hpp"
#include "tests/actors/fake_tokenizer.hpp"
#include "tests/actors/virtual_system.hpp"
#include "tests/catch.hpp"

namespace lorica::test {

inline executor_limits small_limits() {
  executor_limits out;
  out.block_tokens = 4;
  out.blocks = 16;
  out.max_sequences = 4;
  out.max_rows = 16;
  out.max_positions = 32;
  return out;
}

inline planner_options plan_of(const executor_limits& limits, double inter_token_target = 0) {
  planner_options out;
  out.inter_token_target = inter_token_target;
  out.block_tokens = limits.block_tokens;
  out.blocks = limits.blocks;
  out.max_sequences = limits.max_sequences;
  out.max_rows = limits.max_rows;
  out.max_positions = limits.max_positions;
  out.max_waiting = 3;
  out.eos = {fake_tokenizer::eos_id};
  return out;
}

/// Executes by another and lets time pass for it, so much for a step and so much for each row.
class timed_executor final : public executor {
 public:
  timed_executor(executor& engine, manual_clock& clock) : engine_(engine), clock_(clock) {}

  const executor_limits& limits() const noexcept override { return engine_.limits(); }
  std::string description() const override { return engine_.description(); }
  const adapter_packer& packer() const noexcept override { return engine_.packer(); }
  result<step_output> execute(const batch& step) override {
    clock_.advance(per_step + per_row * step.tokens.size());
    return engine_.execute(step);
  }
  bool lost() const noexcept override { return engine_.lost(); }
  result<void> attach(const std::shared_ptr<const packed_adapter>& adapter) override {
    return engine_.attach(adapter);
  }
  void detach(const packed_adapter& adapter) noexcept override { engine_.detach(adapter); }
  void rest(std::span<const std::uint32_t> empty) noexcept override { engine_.rest(empty); }

  std::chrono::milliseconds per_step{0};
  std::chrono::milliseconds per_row{0};

 private:
  executor& engine_;
  manual_clock& clock_;
};

/// A scheduler over a fake executor; adapters refuse every version, or have the one that `lease` is of; one
/// session writes down what it hears.
struct desk {
  explicit desk(double inter_token_target = 0) : target(inter_token_target) {}

  double target;
  packed_ptr lease;
  std::vector<token_event> events;
  std::vector<error_ptr> errors;

  fake_executor engine{small_limits()};
  metrics counters;
  virtual_system world;
  std::shared_ptr<session_roster> roster = std::make_shared<session_roster>();
  std::shared_ptr<status_board> board = std::make_shared<status_board>(counters, roster);
  telemetry_actor telemetry = spawn_telemetry(world.system(), counters);
  loader_actor loader = spawn_loader(world.system(), {engine.packer(), world.clock, read_origin, {}},
                                     placement::shared_threads);
  timed_executor timed{engine, world.clock};
  executor_actor executor =
      spawn_executor(world.system(), timed, loader, world.clock, placement::shared_threads);
  session_actor session = world.system().spawn(
      [](session_actor::pointer, desk* f) {
        return session_actor::behavior_type{
            [f](atom::tokens, const token_chunk_ptr& chunk) {
              f->events.insert(f->events.end(), chunk->events.begin(), chunk->events.end());
            },
            [f](atom::failed, const error_ptr& why) { f->errors.push_back(why); }, [](atom::cancel) {},
            [](atom::resume) {}, [](atom::expire) {}};
      },
      this);
  adapters_actor adapters = world.system().spawn(
      [](adapters_actor::pointer, const desk* f, error why) {
        return fake_adapters([](atom::resolve, const std::string&) -> resolve_reply { return nullptr; },
                             [f, why](atom::acquire, const version_reference_ptr&) -> lease_reply {
                               if (f->lease) return std::make_shared<const result<packed_ptr>>(f->lease);
                               return std::make_shared<const result<packed_ptr>>(why);
                             });
      },
      this, fail(errc::bad_adapter, "it changed", "source_changed"));
  scheduler_actor scheduler = spawn_scheduler(
      world.system(), {plan_of(engine.limits(), target), adapters, executor, telemetry, board, world.clock},
      placement::shared_threads);

  ~desk() { world.end({scheduler, executor, adapters, loader, telemetry, session}); }

  /// One request of the adapter that `lease` is of.
  void submit_adapted(sequence_id id, std::uint32_t tokens, std::uint32_t choices = 1) {
    submission s;
    s.session = session;
    s.first = id;
    s.choices = choices;
    s.prompts = {{{'x'}, tokens}};
    s.ignore_eos = true;
    s.adapters = {
        {adapter_reference{"sql", std::make_shared<version_reference>(), "disk", nullptr, nullptr}}};
    submit(std::move(s));
  }

  void submit(sequence_id first, std::uint32_t choices = 1) {
    submission s;
    s.session = session;
    s.first = first;
    s.choices = choices;
    s.prompts = {{{'h', 'i'}, 6}};
    s.ignore_eos = true;
    submit(std::move(s));
  }
  void submit(submission s) {
    caf::anon_send(scheduler, atom::submit::value,
                   submission_ptr(std::make_shared<const submission>(std::move(s))));
  }
};

/// What a gauge without labels shows.
inline double gauge_of(const metrics& counters, const std::string& name) {
  std::istringstream lines(counters.text());
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + ' ')) return std::stod(line.substr(name.size()));
  FAIL(name << " is not there");
  return 0;
}

}  // namespace lorica::test
