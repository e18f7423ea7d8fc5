#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// The tokens that each slot has seen, and the last one it sampled. Owned by the executor, written by the
/// thread that calls `execute`, read by its team.
class token_history {
 public:
  token_history(std::uint32_t slots, std::uint32_t positions);

  /// Tokens that are known from position 0 on.
  std::uint32_t seen(std::uint32_t slot) const noexcept { return places_[slot].seen; }

  /// What the slot sampled, or nothing since it was begun anew.
  std::optional<token_id> last_sampled(std::uint32_t slot) const noexcept;

  /// Writes tokens at positions [first, first + tokens.size()); later ones are forgotten. A sequence that
  /// begins anew (first = 0) has sampled nothing.
  void write(std::uint32_t slot, std::uint32_t first, std::span<const token_id> tokens);

  void sampled(std::uint32_t slot, token_id token) noexcept { places_[slot].last = token; }

  std::span<const token_id> tokens(std::uint32_t slot) const noexcept;
  std::uint64_t bytes() const noexcept { return tokens_.size() * sizeof(token_id); }

 private:
  struct place {
    std::uint32_t seen = 0;
    token_id last = -1;
  };

  std::uint32_t positions_;
  std::vector<token_id> tokens_;  // [slots][positions]
  std::vector<place> places_;
};

}  // namespace lorica
