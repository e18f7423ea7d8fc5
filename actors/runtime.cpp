#include "actors/runtime.hpp"

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <cstdlib>
#include <set>
#include <utility>

#include "actors/adapter_gateway.hpp"
#include "actors/adapters.hpp"
#include "actors/executor.hpp"
#include "actors/gateway.hpp"
#include "actors/hub.hpp"
#include "actors/loader.hpp"
#include "actors/payloads.hpp"
#include "actors/readiness.hpp"
#include "actors/scheduler.hpp"
#include "actors/store.hpp"
#include "actors/supervisor.hpp"
#include "actors/system_config.hpp"
#include "actors/telemetry.hpp"
#include "actors/terminator.hpp"
#include "actors/time_bounds.hpp"
#include "core/log.hpp"

namespace lorica {
namespace {

constexpr auto grace = std::chrono::seconds(10);

class actor_runtime final : public runtime {
 public:
  actor_runtime(runtime_options options, runtime_parts parts, runtime_limits limits);
  ~actor_runtime() override;

  generation_service& generations() override { return *gateway_; }
  tokenize_service& tokens() override { return *gateway_; }
  adapter_service& adapters() override { return *operators_; }
  status_service& status() override { return *board_; }
  const runtime_limits& limits() const noexcept override { return limits_; }
  result<void> wait_until_ready() override { return ready_->wait(); }
  void interrupt() override;
  bool drain(std::chrono::milliseconds limit, std::stop_token stop) override;

 private:
  void spawn_actors();
  void spawn_adapters_actor();
  void open_gateway();
  void supervise();
  planner_options plan() const;
  std::vector<caf::strong_actor_ptr> permanent() const;

  // In the order of construction: the engine outlives the system, the system outlives every handle.
  runtime_options options_;
  runtime_parts parts_;
  runtime_limits limits_;
  std::shared_ptr<readiness> ready_ = std::make_shared<readiness>();
  std::shared_ptr<session_roster> roster_ = std::make_shared<session_roster>();
  std::shared_ptr<status_board> board_;
  system_config config_;
  caf::actor_system system_;
  telemetry_actor telemetry_;
  std::vector<loader_actor> loaders_;
  store_actor store_;
  hub_actor hub_;
  executor_actor executor_;
  adapters_actor adapters_;
  scheduler_actor scheduler_;
  std::vector<tokenizer_actor> tokenizers_;
  supervisor_actor supervisor_;
  std::unique_ptr<gateway> gateway_;
  std::unique_ptr<adapter_gateway> operators_;
};

actor_runtime::actor_runtime(runtime_options options, runtime_parts parts, runtime_limits limits)
    : options_(std::move(options)),
      parts_(std::move(parts)),
      limits_(limits),
      board_(std::make_shared<status_board>(parts_.counters, roster_)),
      system_(config_) {
  spawn_actors();
  open_gateway();
  supervise();
}

void actor_runtime::spawn_actors() {
  auto& engine = *parts_.engine;
  telemetry_ = spawn_telemetry(system_, parts_.counters);
  // Two, so that what a request waits for is never behind what an operator asked for.
  for (int i = 0; i < 2; ++i)
    loaders_.push_back(spawn_loader(system_, {engine.packer(), parts_.clock, parts_.read, parts_.scan},
                                    placement::own_thread));
  executor_ = spawn_executor(system_, engine, loaders_.front(), parts_.clock, placement::own_thread);
  spawn_adapters_actor();
  scheduler_ = spawn_scheduler(system_, {plan(), adapters_, executor_, telemetry_, board_, parts_.clock},
                               placement::own_thread);
  for (std::uint32_t i = 0; i < std::max(options_.tokenizer_workers, 1u); ++i)
    tokenizers_.push_back(spawn_tokenizer(system_, parts_.vocabulary, parts_.chat, placement::own_thread));
}

void actor_runtime::spawn_adapters_actor() {
  auto wall_clock = std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds(1);
  auto decided = [board = board_, ready = ready_](result<void> outcome) {
    if (outcome) board->say_ready();
    ready->decide(std::move(outcome));
  };
  if (parts_.hub) hub_ = spawn_hub(system_, std::move(parts_.hub), placement::own_thread);
  if (parts_.store) store_ = spawn_store(system_, std::move(parts_.store), placement::own_thread);
  adapters_ = spawn_adapters(
      system_, {options_.adapters, std::move(parts_.kept), options_.skip_bad_adapters, options_.adapter_bytes,
                parts_.engine->limits().max_adapters, options_.eviction, options_.dynamic,
                options_.adapter_wait, options_.adapter_drain_after, options_.max_adapter_names, wall_clock,
                loaders_, executor_, store_, hub_, telemetry_, board_, parts_.clock, std::move(decided)});
}

planner_options actor_runtime::plan() const {
  auto& engine = parts_.engine->limits();
  planner_options out;
  out.block_tokens = engine.block_tokens;
  out.blocks = engine.blocks;
  out.max_sequences = limits_.max_sequences;
  out.max_rows = engine.max_rows;
  out.max_positions = std::min(engine.max_positions, parts_.model.max_positions);
  out.max_prefill_tokens = limits_.max_batch_prefill_tokens;
  out.max_total_tokens = options_.max_batch_total_tokens;  // unset: blocks decide, and preemption corrects
  out.max_waiting = options_.max_waiting_sequences;
  out.prefix_caching = options_.prefix_caching;
  out.policy = options_.policy;
  out.inter_token_target = std::chrono::duration<double>(options_.inter_token_target).count();
  out.starve_after = options_.queue_age_limit;
  out.sizes.weight_bytes = engine.weight_bytes;
  out.sizes.kv_bytes_per_token =
      engine.kv_bytes / std::max<std::uint64_t>(1, std::uint64_t{engine.blocks} * engine.block_tokens);
  std::set<token_id> eos(parts_.model.eos.begin(), parts_.model.eos.end());
  eos.insert(parts_.vocabulary->eos().begin(), parts_.vocabulary->eos().end());
  out.eos.assign(eos.begin(), eos.end());
  return out;
}

void actor_runtime::open_gateway() {
  auto& inter_token = parts_.counters.make_histogram("lorica_inter_token_seconds",
                                                     "Between two chunks of one request.", short_times());
  auto world = std::make_shared<const session_world>(session_world{
      options_.model_id, limits_.max_input_tokens, limits_.max_total_tokens, options_.max_duration,
      options_.adapter_wait, options_.adapter_bytes, parts_.vocabulary, tokenizer_pool(tokenizers_),
      adapters_, scheduler_, telemetry_, parts_.clock, inter_token, plan().eos, options_.base_for_unknown});
  gateway_ = std::make_unique<gateway>(system_, std::move(world), roster_);
  operators_ = std::make_unique<adapter_gateway>(adapters_);
}

void actor_runtime::supervise() {
  auto died = [board = board_, roster = roster_, ready = ready_,
               fatal = options_.on_fatal](const std::string& name) {
    auto why = fail(errc::generation_failed, "Request failed during generation: the " + name + " ended");
    board->say_broken();
    ready->decide(why);
    roster->end_all(std::make_shared<const error>(why));
    if (fatal) fatal("the " + name + " ended unexpectedly");
  };
  supervisor_ = spawn_supervisor(system_, std::move(died));
  auto watch = [this](const auto& actor, const char* name) {
    caf::anon_send(supervisor_, atom::watch::value, caf::actor_cast<caf::strong_actor_ptr>(actor),
                   std::string(name));
  };
  watch(scheduler_, "scheduler");
  watch(executor_, "executor");
  watch(adapters_, "adapters");
  for (auto& loader : loaders_)
    watch(loader, "loader");
  if (store_) watch(store_, "store");
  if (hub_) watch(hub_, "hub");
  watch(telemetry_, "telemetry");
  for (auto& worker : tokenizers_)
    watch(worker, "tokenizer");
}

void actor_runtime::interrupt() {
  caf::anon_send(adapters_, atom::cancel::value);
  ready_->decide(fail(errc::cancelled, "Interrupted"));
}

bool actor_runtime::drain(std::chrono::milliseconds limit, std::stop_token stop) {
  board_->say_draining();
  roster_->close();
  if (roster_->wait_empty(limit, std::move(stop))) return true;
  roster_->end_all(std::make_shared<const error>(fail(errc::incomplete, "Incomplete generation")));
  return false;
}

/// In the order of dependencies; the executor before those that hold what its step reads.
std::vector<caf::strong_actor_ptr> actor_runtime::permanent() const {
  std::vector<caf::strong_actor_ptr> out;
  auto add = [&out](const auto& actor) { out.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor)); };
  add(supervisor_);
  add(scheduler_);
  add(executor_);
  add(adapters_);
  if (hub_) add(hub_);
  for (auto& loader : loaders_)
    add(loader);
  if (store_) add(store_);
  for (auto& worker : tokenizers_)
    add(worker);
  add(telemetry_);
  return out;
}

actor_runtime::~actor_runtime() {
  interrupt();
  roster_->end_all(std::make_shared<const error>(fail(errc::incomplete, "Incomplete generation")));
  bool gone = roster_->wait_empty(grace) || terminate(system_, roster_->remaining(), grace);
  gone = terminate(system_, permanent(), grace) && gone;
  if (gone) return;
  // The actor system would wait for ever for whoever is stuck.
  log_error("shutdown did not come to an end; the process exits");
  std::_Exit(1);
}

}  // namespace

result<std::unique_ptr<runtime>> start_runtime(runtime_options options, runtime_parts parts) {
  auto limits = decide_limits(options, parts.engine->limits(), parts.model);
  if (!limits) return std::move(limits).error();
  std::unique_ptr<runtime> out =
      std::make_unique<actor_runtime>(std::move(options), std::move(parts), *limits);
  return out;
}

}  // namespace lorica
