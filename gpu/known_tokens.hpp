#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "engine/batch.hpp"
#include "gpu/step_buffer.hpp"
#include "gpu/stream.hpp"
#include "gpu/token_history.hpp"

namespace lorica::gpu {

/// The way of tokens whose keys and values others computed into the device's half of the history: as words of
/// the step's buffer, three for each, which a kernel spreads out behind the step's copy. Where a step has
/// more of them than the buffer has room for, they go in several turns:
///
///   begin; fill; the buffer goes to the device; remember; and while not `done`, a wait and all again from
///   fill.
///
/// Used by the thread of the executor.
class known_tokens {
 public:
  /// Adds words for at least `positions` tokens to what a step's buffer holds.
  static void lay_out(step_layout& to, std::uint32_t positions);

  explicit known_tokens(step_buffer& buffer) : buffer_(&buffer) {}

  /// The tokens of a step, which outlives this; all other words of it have been written.
  void begin(const batch& step) noexcept;

  bool done() const noexcept { return sequence_ == step_->sequences.size(); }

  /// Writes as many tokens as there is room for over those of the last turn.
  void fill() noexcept;

  /// Brings what the last `fill` wrote from the device's buffer into the history.
  result<void> remember(const token_history& history, const stream& s) const;

 private:
  void skip() noexcept;

  step_buffer* buffer_;
  const batch* step_ = nullptr;
  std::uint64_t behind_ = 0;             // words of the others
  std::size_t sequence_ = 0;             // that is next, with known tokens
  std::uint32_t written_ = 0;            // tokens of it
  std::uint32_t first_ = 0, count_ = 0;  // of the turn: its first word, its tokens
};

}  // namespace lorica::gpu
