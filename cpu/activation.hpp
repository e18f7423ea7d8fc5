#pragma once

#include <cstddef>
#include <cstdint>

namespace lorica {

/// y = g / (1 + exp(-g)) * u: SwiGLU (Shazeer 2020) after both projections.
///
/// g and u are float32 [rows, width], rows `stride` elements apart; y is [rows, width] in the format of the
/// kernel, rows `y_stride` elements apart; width is a multiple of 32. A thread is handed the columns it owns.
struct activation_args {
  const float* gate = nullptr;
  const float* up = nullptr;
  std::size_t stride = 0;
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  void* y = nullptr;
  std::size_t y_stride = 0;
};

using activation_kernel = void (*)(const activation_args&);

}  // namespace lorica
