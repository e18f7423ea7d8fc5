#pragma once

#include <cstddef>
#include <cstdint>

namespace lorica {

/// Y += w * (g ⊙ (Y − b) + o): what an adapter does to each output by itself. `o` is scaling * `lora_B.bias`;
/// `g` is m / n − 1 of DoRA, which changes the base's product without its bias b (Liu et al. 2024, section
/// 4).
///
/// Y is float32 [rows, width], rows `y_stride` elements apart; g, o and b are float32 [width], each null
/// where there is none; width is a multiple of 16. Every element is computed by itself. A thread is handed
/// the columns it owns.
struct outputs_args {
  float* y = nullptr;
  std::size_t y_stride = 0;  ///< elements
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  const float* base_bias = nullptr;
  const float* gain = nullptr;
  const float* offset = nullptr;
  float weight = 1;
};

using outputs_kernel = void (*)(const outputs_args&);

}  // namespace lorica
