// What small clients have before one that has half of what runs: they are let in first and may have steps of
// their own.
#include <algorithm>
#include <limits>

#include "engine/planner.hpp"
#include "engine/planner_record.hpp"

namespace lorica {
namespace {

constexpr std::size_t most_small = 64;  // clients looked at in a step
constexpr double worth = 8;             // seconds that a first token comes earlier, for each that others lose

}  // namespace

/// The client with most of what runs, if that is half or more; null: none, or in order of arrival.
const fair_queue::client* planner::heavy() const {
  const fair_queue::client* out = nullptr;
  if (!queue_.fair()) return out;
  for (auto r : running_)
    if (!out || r->client->running > out->running) out = r->client;
  return out && out->running > 1 && 2 * out->running >= running_.size() ? out : nullptr;
}

/// `big` has more than twice of what runs of `c` and was given no less, what is ahead of both counted: of
/// each that runs of `big` as much as a fresh one has ahead for tokens.
bool planner::outweighs(const fair_queue::client* big, const fair_queue::client& c) const noexcept {
  if (!big || big->running <= 2 * c.running || big->given < c.given) return false;
  auto soon = big->running * tokens_ahead * cost_.added(step_load::of_rows(1, 0, true, 1));
  return c.counter() <= big->given + std::max(big->ahead, soon);
}

/// Clients that another outweighs need not wait for its sequences to end. One that finds no place now waits
/// for its turn.
void planner::admit_small(admission& a) {
  auto big = heavy();
  auto next = big ? queue_.first() : nullptr;
  for (std::size_t looked = 0; next && looked < most_small; ++looked) {
    auto turn = fair_queue::turn_of(*next);
    if (outweighs(big, *next) && consider(head_of(*next), a, asking::refused) == verdict::stop) break;
    next = queue_.behind(turn);
  }
  a.warm_until.reset();  // which is for those whose turn it is
}

/// Seconds that a step may take in which these others sit out: it and the next one, with everybody's decode
/// rows, keep the target together. No bound where no decode row sits out.
double planner::apart_limit(step_load others, std::span<record* const> small) const {
  if (options_.inter_token_target <= 0 || others.rows > others.sequences)
    return std::numeric_limits<double>::infinity();
  for (auto r : small)
    add_rows(others, *r, 1);
  auto after = cost_.predict(others);
  return std::max(options_.inter_token_target - after, longer_by * after);
}

/// Prompts of clients that another outweighs get a step to themselves, with the decode rows of such clients,
/// when that brings their first tokens much earlier than the others lose by it: about one reading of the
/// weights. Only whole prompts, and never in two steps in a row. Seconds of such a step, else 0.
double planner::set_apart(std::vector<record*>& able, std::uint32_t budget) {
  auto big = heavy();
  if (!big || sat_out_ > 0) return 0;
  std::vector<record*> small, others;
  for (auto r : able)
    (outweighs(big, *r->client) ? small : others).push_back(r);
  if (small.empty() || others.empty()) return 0;
  auto rest = sitting_out(others, budget);
  auto limit = apart_limit(rest, small);
  auto decodes = [](const record* r) { return r->remaining() == 1; };
  auto middle = std::ranges::stable_partition(small, decodes).begin();
  std::vector<record*> apart(small.begin(), middle), prompts(middle, small.end());
  in_turn(prompts);
  auto own = take_whole(prompts, apart, budget, limit);
  auto both = own;
  both += rest;
  auto together = cost_.predict(both);
  auto lost = cost_.predict(own) + cost_.predict(rest) - together;
  if (prompts.empty() || together - cost_.predict(own) < worth * lost) return 0;
  ++counts_.apart;
  apart_at_ = queue_.now();
  apart.insert(apart.end(), prompts.begin(), prompts.end());
  std::erase_if(able, [&](auto r) { return std::ranges::find(apart, r) == apart.end(); });
  return cost_.predict(own);
}

/// The decode rows of those that would sit out, or of their prompts where they have none what fits in a step.
step_load planner::sitting_out(std::span<record* const> others, std::uint32_t budget) {
  ++looks_;
  step_load out;
  for (auto r : others)
    if (r->remaining() == 1) add_rows(out, *r, 1);
  if (out.rows > 0) return out;
  for (auto r : others) {
    auto rows = std::min(r->remaining(), budget);
    budget -= rows;
    if (rows > 0) add_rows(out, *r, rows);
  }
  return out;
}

/// What decode rows and whole prompts make together; prompts from the first on that is too much are dropped.
step_load planner::take_whole(std::vector<record*>& prompts, std::span<record* const> decoding,
                              std::uint32_t budget, double limit) {
  ++looks_;
  step_load out;
  for (auto r : decoding)
    add_rows(out, *r, 1);
  auto too_much = [&](record* r) {
    catch_up(*r);
    auto rows = r->remaining();
    if (rows > budget) return true;
    auto with = out;
    add_rows(with, *r, rows);
    if (cost_.predict(with) > limit) return true;
    budget -= rows;
    out = with;
    return false;
  };
  prompts.erase(std::ranges::find_if(prompts, too_much), prompts.end());
  return out;
}

}  // namespace lorica
