// What a step costs, how many rows it can bear, and who pays.
#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "engine/planner.hpp"
#include "engine/planner_record.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t prefill_patience = 3;  // steps in a row without a prompt's row, while prompts wait

// While small clients come again and again, each waits for the rest of a step first.
constexpr auto small_come_again = std::chrono::seconds(5);
constexpr double beside_small = 3.0 / 4;  // of the target

}  // namespace

/// The client answers for a whole prefill and some tokens when it begins, or it could begin many before the
/// first one costs.
void planner::prepay(record& r) {
  if (!queue_.fair()) return;
  auto tokens = std::min(r.facts.max_new_tokens - r.generated(), tokens_ahead);
  r.prepaid = cost_.added(r.load_of(r.remaining())) + tokens * cost_.added(r.load_of(1));
  queue_.expect(*r.client, r.prepaid);
}

/// Nothing is ahead any more.
void planner::settle(record& r) {
  queue_.expect(*r.client, -std::exchange(r.prepaid, 0));
}

/// A sequence's part of the step that is over, at its price times `ratio`.
void planner::charge(record& r, double ratio) {
  if (!queue_.fair()) return;
  auto cost = cost_.part(r.share, load_) * ratio;
  auto covered = std::min(r.prepaid, cost);
  r.prepaid -= covered;
  queue_.expect(*r.client, -covered);
  queue_.charge(*r.client, cost);
}

double planner::gap_bound() const {
  auto n = std::min(options_.max_sequences, options_.max_rows);
  auto prompt = step_load::of_rows(most_.prompt, 0, true, 1);
  step_load full;
  for (std::uint32_t i = 0; i < n; ++i)
    full += step_load::of_rows(1, most_.prompt + most_.answer, true, 1);
  prompt.adapter_bytes = full.adapter_bytes = most_.adapter_bytes;
  return 2 * (n * cost_.predict(prompt) + most_.answer * cost_.predict(full)) + options_.cluster_gap;
}

/// Bytes of adapters that this sequence brings into the step, or whatever is looked at.
double planner::fresh_bytes(const record& r) const noexcept {
  double out = 0;
  for (auto& u : r.uses)
    if (u.lease->look != looks_) out += static_cast<double>(u.lease->held->bytes());
  return out;
}

/// Adds so many rows of a sequence to a load; its share. The first sequence with an adapter in a look brings
/// its bytes.
step_load planner::add_rows(step_load& load, const record& r, std::uint32_t rows) const {
  auto share = r.load_of(rows);
  share.adapter_bytes = fresh_bytes(r);
  for (auto& u : r.uses)
    u.lease->look = looks_;
  load += share;
  return share;
}

/// Takes so many rows of a sequence into the step.
void planner::join(record& r, std::uint32_t rows) {
  r.planned = rows;
  r.share = add_rows(load_, r, rows);
}

/// The most rows of a prompt that keep the step within `limit` seconds.
std::uint32_t planner::chunk(const record& r, std::uint32_t most, double limit) const {
  auto bytes = fresh_bytes(r);
  auto fits = [&](std::uint32_t rows) {
    auto with = load_;
    with += r.load_of(rows);
    with.adapter_bytes += bytes;
    return cost_.predict(with) <= limit;
  };
  if (fits(most)) return most;
  // Prices are not negative, so a step only gets longer with each row.
  std::uint32_t good = 0;
  for (auto bad = most; bad - good > 1;) {
    auto middle = good + (bad - good) / 2;
    (fits(middle) ? good : bad) = middle;
  }
  return good;
}

/// Seconds until every adapter of a sequence is where steps read it.
double planner::arrives_in(const record& r) const noexcept {
  std::chrono::nanoseconds left{0};
  for (auto& u : r.uses)
    left = std::max(left, u.lease->arrives - queue_.now());
  return std::chrono::duration<double>(left).count();
}

/// Who uses an adapter that is still on its way sits out while others decode: a step waits for it in its
/// midst, and they with it. But what makes the step no longer than the target, or than decode rows alone make
/// it, is no wait.
void planner::hold_back(std::vector<record*>& able) {
  if (last_arrival_ <= queue_.now() || options_.inter_token_target <= 0) return;
  ++looks_;
  step_load decoding;
  for (auto r : able)
    if (r->remaining() == 1 && arrives_in(*r) == 0) add_rows(decoding, *r, 1);
  if (decoding.rows == 0) return;
  auto limit = std::max(options_.inter_token_target - sat_out_, cost_.predict(decoding));
  std::erase_if(able, [&](const record* r) { return arrives_in(*r) > limit; });
}

/// A step that is over has waited for all that it read.
void planner::note_arrivals() {
  for (auto r : in_flight_)
    for (auto& u : r->uses)
      u.lease->arrives = {};
}

/// Clients of whom nobody decodes yet go first, so that a long prompt of others does not hold up a first
/// token.
void planner::in_turn(std::vector<record*>& prompts) {
  std::ranges::stable_sort(prompts, {}, [](const record* r) {
    return std::tuple(r->client->running > 1, r->client->given, r->client->running);
  });
}

/// Seconds that a step of decode rows may take with prompts beside them.
double planner::prefill_limit() const noexcept {
  if (options_.inter_token_target <= 0 || load_.rows <= 0) return std::numeric_limits<double>::infinity();
  const auto target = options_.inter_token_target;
  if (!apart_at_ || queue_.now() - *apart_at_ > small_come_again) return target - sat_out_;
  const auto shorter = std::max(beside_small * target, (1 + longer_by) * cost_.predict(load_));
  return std::min(target, shorter) - sat_out_;
}

/// Prefill chunks, those of clients of whom nobody decodes or that had least first, then the oldest. Beside
/// decode rows they get what the target leaves and less than a block of one does not pay; if that was nothing
/// for some steps, a block, or as much as the decode rows cost. A prompt that gets nothing is not overtaken.
void planner::add_prefill(std::vector<record*>& able, std::uint32_t budget) {
  std::vector<record*> prompts;
  std::ranges::copy_if(able, std::back_inserter(prompts), [](record* r) { return r->remaining() != 1; });
  if (prompts.empty()) return;
  if (queue_.fair()) in_turn(prompts);
  const auto limit = prefill_limit();
  auto patient = steps_without_prefill_ < prefill_patience || sat_out_ > 0;
  auto forced = 2 * cost_.predict(load_);
  auto got = false;
  auto refused = false;
  for (std::size_t i = 0; i < prompts.size() && budget > 0; ++i) {
    auto& r = *prompts[i];
    catch_up(r);
    if (waits_for_block(r, std::span(prompts).first(i))) continue;
    auto most = std::min(r.remaining(), budget);
    auto rows = chunk(r, most, limit);
    if (rows == 0 && !patient && !got) rows = std::max(chunk(r, most, forced), 1u);
    refused = rows == 0;
    if (refused) break;
    join(r, rows);
    budget -= rows;
    got = true;
  }
  steps_without_prefill_ = refused && !got ? steps_without_prefill_ + 1 : 0;
}

}  // namespace lorica
