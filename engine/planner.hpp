#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "engine/batch.hpp"
#include "engine/fair_queue.hpp"
#include "engine/kv_blocks.hpp"
#include "engine/lease_table.hpp"
#include "engine/prefix_cache.hpp"
#include "engine/sequence.hpp"
#include "engine/step_cost.hpp"

namespace lorica {

/// Bounds of the plan. The first five are the executor's limits.
struct planner_options {
  std::uint32_t block_tokens = 16;
  std::uint32_t blocks = 0;
  std::uint32_t max_sequences = 1;       ///< slots; more than `max_rows` are not used
  std::uint32_t max_rows = 1;            ///< rows per step
  std::uint32_t max_positions = 0;       ///< prompt and new tokens of one sequence
  std::uint32_t max_prefill_tokens = 0;  ///< rows of prefill per step; 0: what `max_rows` leaves
  std::uint64_t max_total_tokens =
      0;  ///< sum of prompt + max_new_tokens over admitted sequences; 0: blocks decide
  std::uint32_t max_waiting = 1024;         ///< sequences that wait; the next one is `errc::overloaded`
  std::uint32_t max_adapters_per_step = 0;  ///< distinct versions in one step; 0: no limit
  std::uint32_t leases_ahead = 2;  ///< waiting sequences that may ask for leases while no slot is free
  std::vector<token_id> eos = {};  ///< the model's end tokens
  bool prefix_caching = true;      ///< computed blocks are kept for sequences that begin the same
  schedule_policy policy = schedule_policy::fair;
  /// Seconds that a step may take while somebody decodes: bounds the prompt rows beside decode rows, and the
  /// adapters that run at once. 0: no bound.
  double inter_token_target = 0;
  /// Seconds by which a client may be ahead of the one whose turn it is, if its adapter runs already. 0:
  /// never.
  double cluster_gap = 0.2;
  /// A client that waited so long while nobody of it ran goes first, whatever it had. 0: no such bound.
  std::chrono::nanoseconds starve_after = std::chrono::seconds(3);
  executor_sizes sizes = {};  ///< for the first guess of prices
};

/// A token for one sequence, or what was told of one of its prompt.
struct sequence_token {
  sequence_id id = 0;
  token_id token = 0;
  float logprob = 0;
  std::uint32_t rank = 0;
  std::vector<token_logprob> top = {};
};

/// The one end of an accepted sequence: by itself, or with an error (`errc::cancelled` after `cancel`).
struct sequence_end {
  sequence_id id = 0;
  result<finish_reason> how = finish_reason::length;
};

/// What a call to the planner brought about. Tokens come before the ends of their sequences.
struct [[nodiscard]] plan_outcome {
  std::vector<sequence_token> tokens;
  /// Prompt tokens of sequences with `prompt_logprobs`, from the second one on, in order and each once.
  std::vector<sequence_token> scored;
  std::vector<sequence_end> ended;
  std::vector<sequence_id> preempted;      ///< of an adapter that drains; went back to the queue
  std::vector<lease_table::lease> leases;  ///< no longer needed; to be destroyed on another thread
};

/// A step to execute. The leases behind its adapters are held until the step is completed or failed.
struct planned_step {
  std::shared_ptr<const batch> work;
  std::vector<sequence_id> admitted;   ///< run from this step on (again, after a preemption)
  std::vector<sequence_id> preempted;  ///< went back to the queue; nothing is lost but time
};

/// How the sequences of an adapter that drains leave it.
enum class drain_how : std::uint8_t {
  finish,   ///< they run to their end
  preempt,  ///< they go back to the queue and are recomputed later
};

/// Counts for the status; those from `preemptions` to `ahead` only grow.
struct planner_stats {
  std::uint64_t running = 0;  ///< admitted, paused ones included
  std::uint64_t waiting = 0;
  std::uint64_t paused = 0;
  std::uint64_t blocks_used = 0;
  std::uint64_t blocks_total = 0;
  std::uint64_t leases = 0;  ///< versions held or asked for
  std::uint64_t preemptions = 0;
  std::uint64_t steps = 0;
  std::uint64_t rows = 0;
  std::uint64_t tokens = 0;          ///< sampled and reported
  std::uint64_t prefix_queries = 0;  ///< tokens of admitted sequences that were looked up in the prefix cache
  std::uint64_t prefix_hits = 0;     ///< of them, those that were there
  std::uint64_t yields = 0;          ///< preemptions that made place for a client that had less
  std::uint64_t apart = 0;           ///< steps of small clients, in which others sat out
  std::uint64_t ahead = 0;           ///< steps that were planned ahead
  std::uint64_t clients = 0;         ///< with a sequence here
  double gap = 0;                    ///< see `fair_queue::gap`
  double gap_bound = 0;              ///< see `planner::gap_bound`
  double price_error = 0;            ///< see `step_cost::error`
};

/// Continuous batching: decides which sequences share the next step. Pure policy, owned by the scheduler: no
/// thread, clock, randomness or waiting of its own; equal calls give equal plans.
///
/// A sequence waits, then runs (slot, blocks and leases held), then ends exactly once. Waiting sequences are
/// admitted in the order of `fair_queue`: one that waits for a lease is overtaken, one that does not fit is
/// not. When blocks run out, a running sequence goes back to the head of the queue and is recomputed later
/// (preemption; Kwon et al. 2023, section 4.5), the youngest of the client that had most; what it sampled
/// stays. Paused sequences give way first. A client does not wait for a slot or blocks while another has half
/// of what runs, more than twice of what it has itself, and was given no less: that one's youngest yields.
/// Steps are priced by `step_cost`: while somebody decodes, prompts get as many rows as the inter-token
/// target leaves, or some now and then where decode rows alone are past it; a prompt of such a small client
/// gets a step to itself where that brings its first token much earlier and costs the others little. Who uses
/// an adapter that is still on its way sits out while others decode, unless what is left of it fits the
/// target. Full blocks that were computed are shared by sequences of one composition that begin with the same
/// tokens; of several that would compute the same block at once the first one does and the others wait for
/// it. Of sequences that gather several leases only one does so at a time, so two never wait for each other.
/// `drain` lets an adapter go that others would never leave room for.
class planner {
 public:
  explicit planner(planner_options options);
  ~planner();
  planner(const planner&) = delete;
  planner& operator=(const planner&) = delete;

  /// Takes a sequence into the queue. `errc::invalid` (nothing is kept, no outcome follows) when it can never
  /// run: empty prompt, no new tokens, longer than positions or pool; `errc::overloaded` when the queue is
  /// full.
  result<void> submit(sequence s);

  /// Ends a sequence with `errc::cancelled`: at once, or when the step that holds it is over. Legal in any
  /// state; unknown and ended ids are ignored.
  plan_outcome cancel(sequence_id id);

  /// Leaves a sequence out of steps, its place kept, until resumed. Idempotent, unknown ids are ignored.
  void pause(sequence_id id);
  void resume(sequence_id id);

  /// Versions to ask the adapters' owner for; each is named once until answered by `lease_granted` or
  /// `lease_refused`. To be read after `submit`, whose sequence may ask while a step is in flight, and after
  /// `next_step`.
  std::vector<adapter_version> lease_wanted() { return leases_.wanted(); }

  /// The lease on a version arrived (not null). `arrives`: when all of it is where steps read it, by the time
  /// of `advance_to`.
  plan_outcome lease_granted(const adapter_version& version, lease_table::lease lease,
                             std::chrono::nanoseconds arrives = {});

  /// A version cannot be had: the sequences that wait for it end with `why`.
  plan_outcome lease_refused(const adapter_version& version, const error& why);

  /// An adapter waits too long for room: the one of `candidates` with the least work left takes no more
  /// sequences until its lease has gone back; those that wait with it start over (the drainer of SGLang). At
  /// most one drains at a time, and while it does further calls only say how. Sequences that are paused never
  /// hold up a drain: they are preempted. Without candidates nothing drains any more.
  plan_outcome drain(const std::vector<adapter_version>& candidates, drain_how how);

  /// The time, from whoever has a clock, since any fixed moment; never goes back. Nobody starves without it.
  void advance_to(std::chrono::nanoseconds now) noexcept { queue_.advance_to(now); }

  /// Plans a step. Nothing when a step is in flight or nothing can run; any other call may change that.
  std::optional<planned_step> next_step();

  /// The step after the one in flight, as far as it can be told now: everybody in that one samples, has not
  /// all his tokens then, and nobody else is here. It may be executed right behind the step in flight, if
  /// that one's sequences `all_go_on`: nobody waits then for what was sampled. Null: it cannot be told.
  std::shared_ptr<const batch> plan_ahead();

  /// The step in flight, which was planned ahead and became that by `complete`, was not begun.
  plan_outcome not_begun();

  /// The step in flight is done, in `output.seconds` where they are known. An output that breaks its contract
  /// fails the step with `errc::internal`. The step that was planned ahead, if any, is in flight then, or is
  /// none any more where not all go on. Throws `std::logic_error` when no step is in flight.
  plan_outcome complete(const step_output& output);

  /// The step in flight failed: all its sequences end with `why`. Throws like `complete`.
  plan_outcome step_failed(const error& why);

  /// Ends everything with `why`, sequences of the step in flight when it is over.
  plan_outcome end_all(const error& why);

  /// No sequence is here, waiting or running.
  bool idle() const noexcept { return records_.empty(); }

  /// Blocks whose content nobody wants, ascending.
  std::vector<std::uint32_t> empty_blocks() const;

  bool step_in_flight() const noexcept { return !in_flight_.empty(); }
  planner_stats stats() const;

  /// Seconds by which the counters of two clients of whom somebody waits may differ: VTC's bound, twice a
  /// full batch of the longest prompts and answers, of all since nobody was here or remembered, at the
  /// present prices; and the gap that running adapters may pass by.
  double gap_bound() const;

  const planner_options& options() const noexcept { return options_; }
  const step_cost& cost() const noexcept { return cost_; }
  const fair_queue& queue() const noexcept { return queue_; }

 private:
  struct record;
  struct admission;
  using place = fair_queue::place;

  /// The largest since nobody was here or remembered.
  struct extremes {
    std::uint32_t prompt = 0;  // tokens
    std::uint32_t answer = 0;
    double adapter_bytes = 0;  // in a step
  };

  enum class asking : std::uint8_t { allowed, refused };
  enum class ahead : std::uint8_t { no, yes };
  enum class verdict : std::uint8_t { admitted, passed, stop };

  place place_of(const record& r) const noexcept;
  result<void> check(const sequence& s) const;
  std::optional<error> composition_refusal(const sequence& s) const;
  void make_blocks(planned_step& step);
  record& victim();
  void preempt(record& r, std::vector<sequence_id>& preempted);
  void enqueue(record& r);
  void dequeue(record& r);
  record& head_of(const fair_queue::client& c);
  void admit_waiting(planned_step& step);
  verdict admit_first(admission& a);
  verdict admit_starved(admission& a);
  void admit_small(admission& a);
  void admit_warm(admission& a);
  verdict consider(record& r, admission& a, asking may_ask);
  bool affordable(const record& r, const admission& a) const;
  void note_running(admission& a);
  bool warm(const record& r) const noexcept;
  std::uint32_t gather_leases(record& r, asking may_ask);
  void scatter_leases(record& r, plan_outcome& out);
  std::uint64_t work_left(const lease_table::entry& e) const;
  void give_way(plan_outcome& out);
  bool fits(const record& r) const;
  std::uint32_t shared_blocks(const record& r) const;
  prefix_cache::node* next_cached(const record& r, std::uint32_t block, prefix_cache::node* at) const;
  void catch_up(record& r);
  void note_blocks(record& r);
  bool waits_for_block(const record& r, std::span<record* const> others) const;
  bool make_room(const record& r, planned_step& step);
  bool take_place(const record& r, const admission& a);
  record* next_to_yield(const record& r, const admission& a, std::span<record* const> already) const;
  void admit(record& r);
  static void stay(record& r);
  void prepay(record& r);
  void settle(record& r);
  const fair_queue::client* heavy() const;
  bool outweighs(const fair_queue::client* big, const fair_queue::client& c) const noexcept;
  double set_apart(std::vector<record*>& able, std::uint32_t budget);
  double apart_limit(step_load others, std::span<record* const> small) const;
  step_load sitting_out(std::span<record* const> others, std::uint32_t budget);
  step_load take_whole(std::vector<record*>& prompts, std::span<record* const> decoding, std::uint32_t budget,
                       double limit);
  step_load add_rows(step_load& load, const record& r, std::uint32_t rows) const;
  static void in_turn(std::vector<record*>& prompts);
  void charge(record& r, double ratio);
  std::vector<record*> select();
  double arrives_in(const record& r) const noexcept;
  void hold_back(std::vector<record*>& able);
  void note_arrivals();
  std::uint32_t prefill_budget(std::span<record* const> able) const;
  void add_prefill(std::vector<record*>& able, std::uint32_t budget);
  double prefill_limit() const noexcept;
  std::uint32_t chunk(const record& r, std::uint32_t most, double limit) const;
  void join(record& r, std::uint32_t rows);
  double fresh_bytes(const record& r) const noexcept;
  std::vector<record*> within_adapter_limit(std::vector<record*> able) const;
  std::shared_ptr<const batch> build(ahead when) const;
  bool can_plan_ahead() const;
  void count_ahead();
  void begin_ahead(std::vector<record*> sequences, std::shared_ptr<const batch> work);
  static void add_scores(sequence_rows& rows, const record& r);
  static void add_tokens(batch& work, sequence_rows& rows, const record& r);
  static void add_to_segments(batch& work, const record& r, const record* before);
  static bool keeps_contract(const step_output& output, const std::vector<record*>& work);
  void take_results(record& r, ahead next, const sampled_token* sampled,
                    std::span<const sampled_token> scored, plan_outcome& out);
  void take_token(record& r, const sampled_token& sampled, plan_outcome& out);
  void doom(record& r, const error& why, plan_outcome& out);
  void end(record& r, result<finish_reason> how, plan_outcome& out);

  planner_options options_;
  kv_blocks blocks_;
  prefix_cache cache_;
  lease_table leases_;
  step_cost cost_;
  fair_queue queue_;
  std::unordered_map<sequence_id, std::unique_ptr<record>> records_;
  std::map<place, record*> waiting_;
  std::vector<record*> running_;            // by arrival
  std::vector<record*> in_flight_;          // in the order of the batch's sequences
  std::shared_ptr<const batch> work_;       // of the step in flight
  std::shared_ptr<const batch> next_work_;  // planned ahead
  bool was_ahead_ = false;                  // the step in flight was
  std::vector<std::uint32_t> free_slots_;
  record* gathering_several_ = nullptr;
  drain_how draining_ = drain_how::finish;
  step_load load_;                                    // of the step in flight, or as far as it is planned
  std::uint32_t steps_without_prefill_ = 0;           // in a row, though prompts waited for rows
  double sat_out_ = 0;                                // seconds of the step before, if others sat out
  std::optional<std::chrono::nanoseconds> apart_at_;  // when others last sat out
  bool waits_ = false;                                // the step in flight waits for adapters
  std::chrono::nanoseconds last_arrival_{0};          // of all adapters that were granted
  extremes most_;
  std::uint32_t askers_ = 0;  // sequences that wait and were the first to ask for a lease
  std::uint64_t looks_ = 0;   // at which adapters are in something; leases carry the latest one
  std::uint64_t admitted_tokens_ = 0;
  std::uint64_t next_ticket_ = 0;
  planner_stats counts_;
};

}  // namespace lorica
