#include "actors/scheduler.hpp"

#include <caf/actor_system.hpp>
#include <caf/sec.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <optional>
#include <set>
#include <utility>

#include "actors/harden.hpp"
#include "actors/payloads.hpp"
#include "actors/running_requests.hpp"
#include "actors/take_reply.hpp"

namespace lorica {
namespace {

constexpr auto step_limit = std::chrono::minutes(10);
constexpr auto lease_limit = std::chrono::minutes(20);
constexpr auto rest_after = std::chrono::seconds(5);  // the next request takes memory again, in a few ms

class scheduler_state {
 public:
  static inline const char* name = "scheduler";
  explicit scheduler_state(scheduler_actor::pointer self) : self_(self) {}
  scheduler_actor::behavior_type start(scheduler_parts parts);

 private:
  void submit(const submission& request);
  void cancel(sequence_id id);
  void step();
  void tell_time();
  std::chrono::nanoseconds arrival_of(const packed_adapter& adapter) const;
  void ask_for_leases();
  void execute(const planned_step& planned);
  void begin(const batch& work);
  void order_ahead();
  void withdraw();
  void hear_of(const ahead_order_ptr& order, const step_reply& reply);
  void complete(const step_reply& reply);
  void lose_executor();
  void apply(plan_outcome outcome);
  void deliver();
  void wake();
  void await_rest();
  void rest(std::uint64_t steps_then);
  void publish();

  scheduler_actor::pointer self_;
  std::optional<scheduler_parts> parts_;
  std::optional<planner> plan_;
  running_requests requests_;
  time_point step_began_;
  step_facts in_flight_;
  ahead_order_ptr next_;            // sent; the step before is in flight
  ahead_order_ptr ahead_;           // in flight
  plan_outcome fresh_;              // of the last step, until the next one is on its way
  std::optional<step_facts> over_;  // the step that ended, until telemetry hears of it
  std::uint64_t steps_ = 0;         // that were begun
  std::uint64_t steps_rested_ = 0;  // of them, those before the last rest
  std::uint64_t rests_ = 0;
  bool step_sent_ = false;  // a `step` is in the mailbox
  bool rest_due_ = false;   // a `rest` will come
  bool healthy_ = true;
};
static_assert(!std::is_aggregate_v<scheduler_state>);

scheduler_actor::behavior_type scheduler_state::start(scheduler_parts parts) {
  harden(self_);
  parts_.emplace(std::move(parts));
  plan_.emplace(parts_->options);
  publish();
  return {[this](atom::submit, const submission_ptr& request) { submit(*request); },
          [this](atom::cancel, sequence_id id) { cancel(id); },
          [this](atom::pause, sequence_id id) {
            withdraw();
            plan_->pause(id);
            wake();  // it may make room for others
          },
          [this](atom::resume, sequence_id id) {
            withdraw();
            plan_->resume(id);
            wake();
          },
          [this](atom::drain, const drain_order_ptr& order) {
            withdraw();
            apply(plan_->drain(order->candidates, order->how));
            wake();
          },
          [this](atom::step) { step(); },
          [this](atom::rest, std::uint64_t steps_then) { rest(steps_then); }};
}

void scheduler_state::submit(const submission& request) {
  withdraw();
  requests_.add(request);
  tell_time();
  for (std::uint32_t i = 0; i < sequences_of(request); ++i) {
    auto taken = plan_->submit(running_requests::make_sequence(request, i));
    if (taken) continue;
    // The session answers by cancelling all its choices; those that were not taken are forgotten here.
    self_->send(request.session, atom::failed::value,
                error_ptr(std::make_shared<const error>(taken.error())));
    for (; i < sequences_of(request); ++i)
      requests_.remove(request.first + i);
  }
  ask_for_leases();  // while a step is in flight, adapters can come
  publish();
  wake();
}

void scheduler_state::tell_time() {
  plan_->advance_to(parts_->clock.now().time_since_epoch());
}

/// When all of an adapter is where steps read it.
std::chrono::nanoseconds scheduler_state::arrival_of(const packed_adapter& adapter) const {
  const auto left = adapter.seconds_to_come();
  if (left <= 0) return {};
  return parts_->clock.now().time_since_epoch() +
         std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(left));
}

void scheduler_state::cancel(sequence_id id) {
  withdraw();
  apply(plan_->cancel(id));
  publish();
  wake();
}

/// Plans after all that arrived before: `step` goes to the end of the mailbox.
void scheduler_state::wake() {
  if (plan_->step_in_flight() || std::exchange(step_sent_, true)) return;
  self_->send(self_, atom::step::value);
}

void scheduler_state::step() {
  step_sent_ = false;
  tell_time();
  auto planned = plan_->next_step();
  ask_for_leases();
  publish();  // before the step can be seen to run
  if (planned) execute(*planned);
  deliver();
  if (!planned) await_rest();
}

/// One timer at a time, however often work comes and ends.
void scheduler_state::await_rest() {
  if (!plan_->idle() || plan_->step_in_flight() || steps_ == steps_rested_) return;
  if (!std::exchange(rest_due_, true)) self_->delayed_send(self_, rest_after, atom::rest::value, steps_);
}

/// Memory that the next request would take again at once is kept.
void scheduler_state::rest(std::uint64_t steps_then) {
  rest_due_ = false;
  if (steps_then != steps_ || !plan_->idle()) return await_rest();
  steps_rested_ = steps_;
  take_reply(
      self_->request(
          parts_->executor, step_limit, atom::rest::value,
          block_list_ptr(std::make_shared<const std::vector<std::uint32_t>>(plan_->empty_blocks()))),
      [this](const outcome_ptr& done) {
        if (!*done) return log_error("memory was not given back: {}", done->error().text);
        ++rests_;
        publish();
      },
      [](const caf::error&) {});  // an executor that is gone is noticed by those who watch it
}

void scheduler_state::ask_for_leases() {
  for (auto& version : plan_->lease_wanted()) {
    auto meaning = requests_.meaning(version);
    if (!meaning) {
      apply(plan_->lease_refused(version, fail(errc::internal, "An adapter version is not known")));
      continue;
    }
    take_reply(
        self_->request(parts_->adapters, lease_limit, atom::acquire::value, meaning),
        [this, version](const lease_reply& reply) {
          apply(*reply ? plan_->lease_granted(version, **reply, arrival_of(***reply))
                       : plan_->lease_refused(version, reply->error()));
          wake();
        },
        [this, version](const caf::error&) {
          apply(plan_->lease_refused(version, fail(errc::timeout, "Loading the adapter took too long")));
          wake();
        });
  }
}

void scheduler_state::execute(const planned_step& planned) {
  begin(*planned.work);
  for (auto id : planned.admitted)
    requests_.admitted(id, step_began_);
  take_reply(
      self_->request(parts_->executor, step_limit, atom::execute::value, planned.work),
      [this](const step_reply& reply) { complete(reply); }, [this](const caf::error&) { lose_executor(); });
  order_ahead();
}

void scheduler_state::begin(const batch& work) {
  ++steps_;
  step_began_ = parts_->clock.now();
  std::set<const packed_adapter*> adapters;
  for (auto& use : work.uses)
    adapters.insert(use.adapter);
  in_flight_ = {work.tokens.size(), adapters.size(), {}};
}

/// The executor finds the step that will very likely be next in its mailbox.
void scheduler_state::order_ahead() {
  auto work = plan_->plan_ahead();
  if (!work) return;
  auto order = std::make_shared<const ahead_order>(std::move(work));
  next_ = order;
  take_reply(
      self_->request(parts_->executor, 2 * step_limit, atom::execute::value, next_),
      [this, order](const step_reply& reply) { hear_of(order, reply); },
      [this](const caf::error&) { lose_executor(); });
}

/// What came up is planned with as soon as if nothing had been ordered.
void scheduler_state::withdraw() {
  for (auto& order : {next_, ahead_})
    if (order) order->withdraw();
}

void scheduler_state::hear_of(const ahead_order_ptr& order, const step_reply& reply) {
  if (order != ahead_) return;  // not all went on
  if (reply) return complete(reply);
  next_ = ahead_ = nullptr;
  apply(plan_->not_begun());
  wake();
}

void scheduler_state::complete(const step_reply& reply) {
  in_flight_.duration = parts_->clock.now() - step_began_;
  healthy_ = reply->has_value();
  if (!healthy_) log_error("step failed: {}", reply->error().text);
  tell_time();
  fresh_ = healthy_ ? plan_->complete(**reply) : plan_->step_failed(reply->error());
  over_ = in_flight_;
  ahead_ = std::exchange(next_, nullptr);
  if (!plan_->step_in_flight()) {
    ahead_ = nullptr;
    return wake();  // one is tried, and that delivers and publishes
  }
  begin(*ahead_->work);
  order_ahead();
  deliver();
  publish();
}

/// The executor is gone or hangs: nothing here can go on. What is heard of a step that was ordered ahead may
/// come when the one before has failed already.
void scheduler_state::lose_executor() {
  auto why = fail(errc::generation_failed, "Request failed during generation: the executor is gone");
  healthy_ = false;
  if (plan_->step_in_flight()) apply(plan_->step_failed(why));
  apply(plan_->end_all(why));
  over_ = in_flight_;
  publish();
  self_->quit(caf::sec::runtime_error);
}

/// What the last step gave goes to the sessions: they do not take the cores from a step that is still to be
/// sent.
void scheduler_state::deliver() {
  apply(std::exchange(fresh_, {}));
}

/// Anything that happens behind a step is heard behind what it gave.
void scheduler_state::apply(plan_outcome outcome) {
  if (!fresh_.tokens.empty() || !fresh_.ended.empty() || !fresh_.scored.empty()) deliver();
  auto news = requests_.deliver(outcome, parts_->clock.now());
  for (auto& [session, chunk] : news.chunks)
    self_->send(session, atom::tokens::value, chunk);
  for (auto& [session, why] : news.errors)
    self_->send(session, atom::failed::value, why);
  // The leases in the outcome end here: that only posts their release.
}

void scheduler_state::publish() {
  auto now = plan_->stats();
  auto facts = std::make_shared<scheduler_facts>();
  facts->step = std::exchange(over_, std::nullopt);
  facts->running = now.running;
  facts->waiting = now.waiting;
  facts->blocks_used = now.blocks_used;
  facts->blocks_total = now.blocks_total;
  facts->steps = now.steps;
  facts->preemptions = now.preemptions;
  facts->prefix_queries = now.prefix_queries;
  facts->prefix_hits = now.prefix_hits;
  facts->yields = now.yields;
  facts->apart = now.apart;
  facts->ahead = now.ahead;
  facts->clients = now.clients;
  facts->rests = rests_;
  facts->gap = now.gap;
  facts->gap_bound = now.gap_bound;
  facts->price_error = now.price_error;
  facts->healthy = healthy_;
  parts_->board->update(facts);
  self_->send(parts_->telemetry, atom::publish::value, scheduler_facts_ptr(facts));
}

scheduler_actor::behavior_type scheduler(scheduler_actor::stateful_pointer<scheduler_state> self,
                                         scheduler_parts parts) {
  return self->state.start(std::move(parts));
}

}  // namespace

scheduler_actor spawn_scheduler(caf::actor_system& system, scheduler_parts parts, placement where) {
  if (where == placement::shared_threads) return system.spawn(scheduler, std::move(parts));
  return system.spawn<caf::detached>(scheduler, std::move(parts));
}

}  // namespace lorica
