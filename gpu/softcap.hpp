#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// x becomes c tanh(x / c), in place (Gemma 2's logits; attention does the same to its scores).
///
/// x is float32 [rows, width], rows `stride` elements apart. A thread per number.
struct softcap_args {
  float* x = nullptr;
  std::size_t stride = 0;  ///< elements
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  float cap = 0;  ///< above zero
};

result<void> softcap(const softcap_args& a, const stream& s);

}  // namespace lorica::gpu
