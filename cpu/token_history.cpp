#include "cpu/token_history.hpp"

#include <algorithm>

namespace lorica {

token_history::token_history(std::uint32_t slots, std::uint32_t positions)
    : positions_(positions), tokens_(std::size_t{slots} * positions), places_(slots) {}

std::optional<token_id> token_history::last_sampled(std::uint32_t slot) const noexcept {
  if (places_[slot].last < 0) return std::nullopt;
  return places_[slot].last;
}

void token_history::write(std::uint32_t slot, std::uint32_t first, std::span<const token_id> tokens) {
  std::ranges::copy(tokens,
                    tokens_.begin() + static_cast<std::ptrdiff_t>(std::size_t{slot} * positions_ + first));
  places_[slot].seen = first + static_cast<std::uint32_t>(tokens.size());
  if (first == 0) places_[slot].last = -1;
}

std::span<const token_id> token_history::tokens(std::uint32_t slot) const noexcept {
  return std::span(tokens_).subspan(std::size_t{slot} * positions_, places_[slot].seen);
}

}  // namespace lorica
