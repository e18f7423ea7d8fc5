// What the planner does with blocks that are computed already.
#include <algorithm>

#include "engine/planner.hpp"
#include "engine/planner_record.hpp"

namespace lorica {

/// The cached block number `block` of a sequence, behind the one at `at`; null: it must compute it. The last
/// token is always computed: its row chooses the next one.
prefix_cache::node* planner::next_cached(const record& r, std::uint32_t block, prefix_cache::node* at) const {
  if (!options_.prefix_caching || r.facts.prompt_logprobs) return nullptr;
  auto size = std::size_t{options_.block_tokens};
  if ((block + 1) * size >= r.tokens.size()) return nullptr;
  return cache_.find(r.domain, at, std::span(r.tokens).subspan(block * size, size));
}

/// Blocks at its beginning that a waiting sequence would share with those that hold them now.
std::uint32_t planner::shared_blocks(const record& r) const {
  std::uint32_t out = 0;
  prefix_cache::node* at = nullptr;
  for (std::uint32_t block = 0; (at = next_cached(r, block, at)); ++block)
    out += blocks_.holders(prefix_cache::block_of(*at)) != 0 ? 1 : 0;
  return out;
}

/// Takes the cached blocks behind what a sequence has computed.
void planner::catch_up(record& r) {
  if (r.computed != r.noted * options_.block_tokens) return;
  while (auto next = next_cached(r, r.noted, r.place)) {
    r.blocks.share(r.noted++, prefix_cache::block_of(*next));
    r.place = next;
    r.computed += options_.block_tokens;
    counts_.prefix_hits += options_.block_tokens;
  }
}

/// Adds the full blocks of what a sequence has computed to the cache, where the same ones are not there yet.
void planner::note_blocks(record& r) {
  if (!options_.prefix_caching) return;
  auto size = options_.block_tokens;
  while ((r.noted + 1) * size <= r.computed) {
    auto tokens = std::span<const token_id>(r.tokens).subspan(std::size_t{r.noted} * size, size);
    auto own = r.blocks.ids()[r.noted];
    r.place = cache_.add(r.domain, r.place, tokens, own);
    auto block = prefix_cache::block_of(*r.place);
    if (block != own) r.blocks.share(r.noted, block);
    ++r.noted;
  }
}

/// One of the others computes in this step what this sequence would compute next.
bool planner::waits_for_block(const record& r, std::span<record* const> others) const {
  if (!options_.prefix_caching || r.facts.prompt_logprobs) return false;
  auto size = std::size_t{options_.block_tokens};
  auto begin = r.noted * size;
  if (r.computed != begin || begin + size >= r.tokens.size()) return false;
  auto block = std::span(r.tokens).subspan(begin, size);
  return std::ranges::any_of(others, [&](const record* other) {
    return other->planned > 1 && other->noted == r.noted && other->place == r.place &&
           other->tokens.size() >= begin + size && other->domain == r.domain &&
           std::ranges::equal(std::span(other->tokens).subspan(begin, size), block);
  });
}

}  // namespace lorica
