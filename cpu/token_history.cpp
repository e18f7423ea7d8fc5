#include "cpu/token_history.hpp"

#include <algorithm>

#include "core/checked.hpp"

namespace lorica {

result<token_history> token_history::allocate(std::uint32_t slots, std::uint32_t positions) {
  const auto bytes = checked_mul(std::uint64_t{slots} * positions, std::uint64_t{sizeof(token_id)});
  if (!bytes) return fail(errc::out_of_memory, "the tokens of all slots are too many to be counted in bytes");
  // A slot seldom sees as many tokens as it may.
  auto memory = mapped_memory::allocate(*bytes, "the tokens of all slots", page_kind::small);
  if (!memory) return std::move(memory).error();
  return token_history(*std::move(memory), slots, positions);
}

std::optional<token_id> token_history::last_sampled(std::uint32_t slot) const noexcept {
  if (places_[slot].last < 0) return std::nullopt;
  return places_[slot].last;
}

void token_history::write(std::uint32_t slot, std::uint32_t first, std::span<const token_id> tokens) {
  std::ranges::copy(tokens, tokens_of(slot) + first);
  places_[slot].seen = first + static_cast<std::uint32_t>(tokens.size());
  if (first == 0) places_[slot].last = -1;
}

std::span<const token_id> token_history::tokens(std::uint32_t slot) const noexcept {
  return {tokens_of(slot), places_[slot].seen};
}

}  // namespace lorica
