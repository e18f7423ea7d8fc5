// How the planner makes room for sequences, and who gives way for whom.
#include <algorithm>

#include "engine/planner.hpp"
#include "engine/planner_record.hpp"

namespace lorica {
namespace {

constexpr std::size_t most_yields = 4;    // sequences that give way for one
constexpr std::uint32_t least_stay = 16;  // tokens between two yields of one

}  // namespace

/// Room in the blocks for the next token of every sequence that can go on, the oldest first.
void planner::make_blocks(planned_step& step) {
  auto order = running_;
  for (auto r : order) {
    if (r->paused) continue;
    while (r->running && !r->blocks.grow(r->tokens.size()))
      preempt(victim(), step.preempted);
  }
}

/// Paused sequences do not miss their blocks now; else the youngest of the client that had most loses least.
/// The oldest that is not paused is never chosen while there is another, so it always gets to its end.
planner::record& planner::victim() {
  auto paused = std::ranges::find_if(running_.rbegin(), running_.rend(), [](record* r) { return r->paused; });
  if (paused != running_.rend()) return **paused;
  if (running_.size() == 1) return *running_.front();
  return **std::max_element(running_.begin() + 1, running_.end(), [](const record* a, const record* b) {
    return std::pair(a->client->given, a->ticket) < std::pair(b->client->given, b->ticket);
  });
}

void planner::preempt(record& r, std::vector<sequence_id>& preempted) {
  settle(r);
  std::erase(running_, &r);
  admitted_tokens_ -= r.most_tokens();
  free_slots_.push_back(r.slot);
  r.blocks.clear();
  r.running = false;
  r.preempted = true;
  r.computed = r.told = r.noted = 0;
  r.place = nullptr;
  queue_.stopped(*r.client);
  enqueue(r);
  preempted.push_back(r.facts.id);
  ++counts_.preemptions;
}

/// Paused sequences give way to the head of the queue, if that is enough.
bool planner::make_room(const record& r, planned_step& step) {
  std::vector<record*> paused;
  auto blocks = blocks_.free();
  auto tokens = admitted_tokens_;
  for (auto other : running_) {
    if (!other->paused) continue;
    paused.push_back(other);
    blocks += other->blocks.size();
    tokens -= other->most_tokens();
  }
  if (paused.empty()) return false;
  if (blocks < blocks_.blocks_for(r.tokens.size()) + running_.size() - paused.size()) return false;
  if (options_.max_total_tokens != 0 && tokens + r.most_tokens() > options_.max_total_tokens) return false;
  // A block that others hold too is not free when one of them gives way.
  for (; !fits(r) && !paused.empty(); paused.pop_back())
    preempt(*paused.back(), step.preempted);
  return fits(r);
}

/// Somebody takes the place of the youngest of a client that has half of what runs or more and more than
/// twice of what his own has, or of any that has two when the wait was too long; a few yield, or none if they
/// were not enough. What they computed is in the prefix cache as long as the pool has room.
bool planner::take_place(const record& r, const admission& a) {
  if (!queue_.fair()) return false;
  std::vector<record*> yielding;
  std::uint64_t blocks = blocks_.free();
  auto tokens = admitted_tokens_;
  auto enough = [&] {
    if (free_slots_.empty() && yielding.empty()) return false;
    if (options_.max_total_tokens != 0 && tokens + r.most_tokens() > options_.max_total_tokens) return false;
    return blocks >= blocks_.blocks_for(r.tokens.size()) + running_.size() - yielding.size();
  };
  while (!enough()) {
    auto next = yielding.size() == most_yields ? nullptr : next_to_yield(r, a, yielding);
    if (!next) return false;
    yielding.push_back(next);
    tokens -= next->most_tokens();
    // A block that others hold too is not free when this one yields.
    blocks += static_cast<std::uint64_t>(
        std::ranges::count_if(next->blocks.ids(), [this](auto id) { return blocks_.holders(id) == 1; }));
  }
  for (auto y : yielding)
    preempt(*y, a.step.preempted), y->yielded = true;
  counts_.yields += yielding.size();
  return fits(r);
}

/// Who yielded has his place again until he got as many tokens as are computed anew for it, and some: so most
/// of what is computed is new, and everybody comes to his end.
void planner::stay(record& r) {
  r.stays_until = static_cast<std::uint32_t>(r.tokens.size()) + std::max(least_stay, r.remaining());
}

planner::record* planner::next_to_yield(const record& r, const admission& a,
                                        std::span<record* const> already) const {
  auto left = [already](const record* other) {
    auto gone = std::ranges::count_if(already, [other](auto y) { return y->client == other->client; });
    return other->client->running - static_cast<std::uint32_t>(gone);
  };
  auto least = a.starved ? 2 : std::max<std::uint64_t>(2, (running_.size() + 1) / 2);
  record* out = nullptr;
  for (auto other : running_) {
    if (other->tokens.size() < other->stays_until || !outweighs(other->client, *r.client)) continue;
    if (left(other) < least || left(other) <= 2 * r.client->running) continue;
    if (std::ranges::find(already, other) != already.end()) continue;
    // Running ones are in the order of arrival, so the last of equals is the youngest.
    if (!out || left(other) >= left(out)) out = other;
  }
  // Whoever was let in just now is not turned away, nor an older one in its stead.
  auto& fresh = a.step.admitted;
  return out && std::ranges::find(fresh, out->facts.id) != fresh.end() ? nullptr : out;
}

}  // namespace lorica
