#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/planner.hpp"

namespace lorica {

/// Tokens that a client answers for when a sequence begins.
inline constexpr std::uint32_t tokens_ahead = 16;

/// How much longer than decode rows alone make it a step may be for somebody's prompt where the target asks
/// for less.
inline constexpr double longer_by = 1.0 / 4;

/// A sequence inside the planner, from submit to its end. Waiting: in the queue, no slot, no blocks. Running:
/// a slot, blocks for all its tokens, every lease held.
struct planner::record {
  /// One adapter of the composition, once its lease is taken part in.
  struct use {
    lease_table::entry* lease;
    float weight;

    bool operator==(const use&) const = default;
  };

  record(sequence s, std::uint64_t order, kv_blocks& pool)
      : prompt_tokens(static_cast<std::uint32_t>(s.prompt.size())),
        tokens(std::move(s.prompt)),
        facts(std::move(s)),
        domain(domain_of(facts)),
        ticket(order),
        blocks(pool) {}

  bool base() const noexcept { return facts.composition.empty(); }

  /// Every lease is there.
  bool ready() const noexcept {
    if (!gathering) return false;
    for (auto& u : uses)
      if (!u.lease->held) return false;
    return true;
  }

  bool uses_lease(const lease_table::entry& e) const noexcept {
    for (auto& u : uses)
      if (u.lease == &e) return true;
    return false;
  }

  bool drains() const noexcept {
    for (auto& u : uses)
      if (u.lease->draining) return true;
    return false;
  }

  /// Tokens at its longest.
  std::uint64_t most_tokens() const noexcept { return std::uint64_t{prompt_tokens} + facts.max_new_tokens; }

  /// Tokens whose K and V are not in the blocks yet; 1 is a decode row.
  std::uint32_t remaining() const noexcept { return static_cast<std::uint32_t>(tokens.size()) - computed; }

  std::uint32_t generated() const noexcept {
    return static_cast<std::uint32_t>(tokens.size()) - prompt_tokens;
  }

  /// The step in flight reaches the last token and samples the next.
  bool samples() const noexcept { return planned == remaining(); }

  /// `rows` rows as a share of a step, without the bytes of adapters.
  step_load load_of(std::uint32_t rows) const noexcept {
    auto head = rows == remaining() ? 1u : 0u;
    if (facts.prompt_logprobs) head = rows;
    return step_load::of_rows(rows, computed, !base(), head);
  }

  /// Its share of the step in flight, with which it can be planned ahead.
  bool can_go_on() const noexcept {
    return samples() && !paused && !doomed && !drains() && generated() + 1 < facts.max_new_tokens;
  }

  /// Rows of the step in flight that tell how likely the prompt token behind them is.
  struct scored_rows {
    std::uint32_t first = 0;  ///< of its rows
    std::uint32_t count = 0;
  };
  scored_rows scores() const noexcept {
    auto end = std::min(computed + planned, prompt_tokens - 1);
    if (!facts.prompt_logprobs || end < next_scored) return {};
    return {next_scored - 1 - computed, end + 1 - next_scored};
  }

  std::uint32_t prompt_tokens;
  std::vector<token_id> tokens;  ///< prompt, then what was sampled
  sequence facts;                ///< its prompt moved into `tokens`
  prefix_domain domain;          ///< whose cached blocks it may take
  std::uint64_t ticket;          ///< order of arrival: the smaller, the older
  fair_queue::client* client = nullptr;
  kv_table blocks;
  std::vector<use> uses;  ///< in the order of the composition; filled when gathering begins
  bool gathering = false;
  bool asker = false;  ///< waits, and was the first to ask for one of its leases
  bool paused = false;
  bool running = false;
  bool preempted = false;               ///< waits with a head start
  bool yielded = false;                 ///< waits because it was put back for another client
  std::uint32_t stays_until = 0;        ///< tokens that it has before it is put back so once more
  std::uint32_t slot = 0;               ///< while running
  std::uint32_t computed = 0;           ///< tokens whose K and V are in the blocks
  std::uint32_t told = 0;               ///< of them, those that the executor knows the tokens of
  std::uint32_t noted = 0;              ///< full blocks that are in the prefix cache
  prefix_cache::node* place = nullptr;  ///< the last one of these
  std::uint32_t planned = 0;            ///< rows in the step in flight; 0: not in it
  std::uint32_t next_scored = 1;        ///< prompt token to be told next; a recomputation tells none again
  std::uint64_t last_step = 0;          ///< number of the last step it was in
  double prepaid = 0;                   ///< seconds that its client has ahead for it
  step_load share;                      ///< of the step in flight
  std::optional<error> doomed;          ///< ends with this when the step in flight is over
};

/// One walk along the queue.
struct planner::admission {
  planned_step& step;
  std::uint32_t asked = 0;  ///< sequences that began to ask for leases
  step_load running = {};   ///< a decode row of each that runs
  /// Somebody's adapter would be one too many: up to this counter others go on whose adapters run already.
  std::optional<double> warm_until = {};
  bool starved = false;  ///< the one looked at goes before all others
};

}  // namespace lorica
