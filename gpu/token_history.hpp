#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "gpu/arena.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Writes the tokens of rows to where their slots keep them: history[slots[i]][positions[i]] = tokens[i].
///
/// tokens, slots and positions are [count], on the device; history is [slots][stride] of ids. No two of them
/// name the same place, but those of the spare slot may. A thread per token.
struct token_history_args {
  const token_id* tokens = nullptr;
  const std::uint32_t* slots = nullptr;
  const std::uint32_t* positions = nullptr;
  std::uint32_t count = 0;
  token_id* history = nullptr;
  std::size_t stride = 0;  ///< elements from slot to slot
};

result<void> remember(const token_history_args& a, const stream& s);

/// The tokens that each slot has seen, and the last one it sampled: on the host, for planning and for rules,
/// and the tokens once more on the device, for penalties. The host writes its half before a step, which
/// writes the other half itself, with `remember`. Owned by the executor, used by its thread.
class token_history {
 public:
  /// One slot more than `slots` has room on the device, for idle rows. `positions` per slot. Fails with
  /// `errc::out_of_memory`.
  static result<token_history> allocate(arena& memory, std::uint32_t slots, std::uint32_t positions);

  /// Tokens that are known from position 0 on.
  std::uint32_t seen(std::uint32_t slot) const noexcept {
    return static_cast<std::uint32_t>(places_[slot].tokens.size());
  }

  /// What the slot sampled, or nothing since it was begun anew.
  std::optional<token_id> last_sampled(std::uint32_t slot) const noexcept;

  /// Host: writes tokens at positions [first, first + tokens.size()); later ones are forgotten. A sequence
  /// that begins anew (first = 0) has sampled nothing. `first` <= seen(slot).
  void write(std::uint32_t slot, std::uint32_t first, std::span<const token_id> tokens);

  void sampled(std::uint32_t slot, token_id token) noexcept { places_[slot].last = token; }

  std::span<const token_id> tokens(std::uint32_t slot) const noexcept { return places_[slot].tokens; }

  /// Device: [slots + 1][stride()].
  token_id* device() const noexcept { return device_; }
  std::size_t stride() const noexcept { return positions_; }

  static std::uint64_t device_bytes(std::uint32_t slots, std::uint32_t positions) noexcept {
    return (std::uint64_t{slots} + 1) * positions * sizeof(token_id);
  }

 private:
  struct place {
    std::vector<token_id> tokens;
    token_id last = -1;
  };

  token_history(token_id* device, std::uint32_t slots, std::uint32_t positions)
      : device_(device), positions_(positions), places_(slots) {}

  token_id* device_;
  std::uint32_t positions_;
  std::vector<place> places_;
};

}  // namespace lorica::gpu
