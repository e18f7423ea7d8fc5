#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "engine/batch.hpp"
#include "gpu/pinned.hpp"
#include "gpu/stream.hpp"
#include "gpu/token_history.hpp"

namespace lorica::gpu {

/// The way of tokens whose keys and values others computed into the device's half of the history.
class known_tokens {
 public:
  /// Room for the tokens of one longest sequence.
  static result<known_tokens> allocate(std::uint32_t positions);

  /// Sends the known tokens of a step's sequences. The pinned memory is free again when the step is done;
  /// where it does not hold them all at once, the stream is waited for in between.
  result<void> send(const batch& step, const token_history& history, const stream& s);

 private:
  explicit known_tokens(pinned_buffer memory) : memory_(std::move(memory)) {}

  pinned_buffer memory_;
};

}  // namespace lorica::gpu
