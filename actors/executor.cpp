#include "actors/executor.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <utility>

#include "actors/attempt.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"
#include "core/log.hpp"
#include "core/unused_memory.hpp"
#include "engine/sequence_end.hpp"

namespace lorica {
namespace {

class executor_state {
 public:
  static inline const char* name = "executor";
  explicit executor_state(executor_actor::pointer self) : self_(self) {}
  executor_actor::behavior_type start(executor& engine, loader_actor loader, const clock_source& clock);

 private:
  step_reply reply_to(const batch& step);
  outcome_ptr attach(const packed_ptr& adapter);
  void end_if_lost();
  result<step_output> execute(const batch& step);
  result<void> rest(const std::vector<std::uint32_t>& empty);
  caf::result<std::uint64_t> detach(packed_ptr& adapter);

  executor_actor::pointer self_;
  executor* engine_ = nullptr;
  const clock_source* clock_ = nullptr;
  loader_actor loader_;
  bool goes_on_ = false;  // the last step was computed, and all its sequences go on
};
static_assert(!std::is_aggregate_v<executor_state>);

executor_actor::behavior_type executor_state::start(executor& engine, loader_actor loader,
                                                    const clock_source& clock) {
  harden(self_);
  engine_ = &engine;
  clock_ = &clock;
  loader_ = std::move(loader);
  return {[this](atom::execute, const batch_ptr& step) { return reply_to(*step); },
          [this](atom::execute, const ahead_order_ptr& order) -> step_reply {
            if (std::exchange(goes_on_, false) && !order->withdrawn()) return reply_to(*order->work);
            return nullptr;
          },
          [this](atom::attach, const packed_ptr& adapter) { return attach(adapter); },
          [this](atom::detach, packed_ptr& adapter) { return detach(adapter); },
          [this](atom::rest, const block_list_ptr& empty) -> outcome_ptr {
            return std::make_shared<const result<void>>(attempt(name, [&] { return rest(*empty); }));
          }};
}

step_reply executor_state::reply_to(const batch& step) {
  auto done = attempt(name, [&] { return execute(step); });
  goes_on_ = done && all_go_on(step, *done);
  if (!done) end_if_lost();
  return std::make_shared<const result<step_output>>(std::move(done));
}

outcome_ptr executor_state::attach(const packed_ptr& adapter) {
  auto done = attempt(name, [&] { return engine_->attach(adapter); });
  if (!done) end_if_lost();
  return std::make_shared<const result<void>>(std::move(done));
}

/// Behind the answer: whoever watches ends the process, as only another one can have the device again.
void executor_state::end_if_lost() {
  if (!engine_->lost()) return;
  log_error("the device is lost to this process");
  self_->quit(caf::sec::runtime_error);
}

/// Without the ways of messages: what a step costs, not what it waits for.
result<step_output> executor_state::execute(const batch& step) {
  auto began = clock_->now();
  auto done = engine_->execute(step);
  if (done) done->seconds = std::chrono::duration<double>(clock_->now() - began).count();
  return done;
}

result<void> executor_state::rest(const std::vector<std::uint32_t>& empty) {
  engine_->rest(empty);
  give_back_unused_memory();
  return {};
}

caf::result<std::uint64_t> executor_state::detach(packed_ptr& adapter) {
  engine_->detach(*adapter);
  // Moved out of the message: the last reference must not end on this thread.
  return self_->delegate(loader_, atom::destroy::value, std::move(adapter));
}

executor_actor::behavior_type executor_worker(executor_actor::stateful_pointer<executor_state> self,
                                              executor* engine, loader_actor loader,
                                              const clock_source* clock) {
  return self->state.start(*engine, std::move(loader), *clock);
}

}  // namespace

executor_actor spawn_executor(caf::actor_system& system, executor& engine, loader_actor loader,
                              const clock_source& clock, placement where) {
  if (where == placement::shared_threads)
    return system.spawn(executor_worker, &engine, std::move(loader), &clock);
  return system.spawn<caf::detached>(executor_worker, &engine, std::move(loader), &clock);
}

}  // namespace lorica
