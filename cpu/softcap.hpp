#pragma once

#include <cstddef>

namespace lorica {

/// x becomes c tanh(x / c), in place (Gemma 2's logits; attention does the same to its scores).
///
/// x is float32 [width], width a multiple of 16. A thread is handed the columns it owns.
struct softcap_args {
  float* x = nullptr;
  std::size_t width = 0;
  float cap = 0;  ///< above zero
};

using softcap_kernel = void (*)(const softcap_args&);

}  // namespace lorica
