#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "cpu/mapped_memory.hpp"

namespace lorica {

/// The tokens that each slot has seen, and the last one it sampled. Positions cost memory when they are first
/// written. Owned by the executor, written by the thread that calls `execute`, read by its team.
class token_history {
 public:
  /// Fails with `errc::out_of_memory`.
  static result<token_history> allocate(std::uint32_t slots, std::uint32_t positions);

  /// Tokens that are known from position 0 on.
  std::uint32_t seen(std::uint32_t slot) const noexcept { return places_[slot].seen; }

  /// What the slot sampled, or nothing since it was begun anew.
  std::optional<token_id> last_sampled(std::uint32_t slot) const noexcept;

  /// Writes tokens at positions [first, first + tokens.size()); later ones are forgotten. A sequence that
  /// begins anew (first = 0) has sampled nothing.
  void write(std::uint32_t slot, std::uint32_t first, std::span<const token_id> tokens);

  void sampled(std::uint32_t slot, token_id token) noexcept { places_[slot].last = token; }

  std::span<const token_id> tokens(std::uint32_t slot) const noexcept;
  std::uint64_t bytes() const noexcept { return memory_.size(); }

 private:
  struct place {
    std::uint32_t seen = 0;
    token_id last = -1;
  };

  token_history(mapped_memory memory, std::uint32_t slots, std::uint32_t positions)
      : memory_(std::move(memory)), positions_(positions), places_(slots) {}

  token_id* tokens_of(std::uint32_t slot) const noexcept {
    return reinterpret_cast<token_id*>(memory_.data()) + std::size_t{slot} * positions_;
  }

  mapped_memory memory_;  // [slots][positions] of token_id
  std::uint32_t positions_;
  std::vector<place> places_;
};

}  // namespace lorica
