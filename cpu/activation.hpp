#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/weight_format.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// y = f(g) ⊙ u after both projections (Shazeer 2020). f is one of
///
///     silu       g / (1 + exp(-g))
///     gelu_tanh  g / (1 + exp(-2 t)), t = sqrt(2/π) (g + 0.044715 g³): g (1 + tanh t) / 2 written with one
///     exp gelu       g (1 + erf(g / sqrt 2)) / 2, erf within 1.5e-7 (Abramowitz and Stegun 7.1.26)
///
/// g and u are float32 [rows, width], rows `stride` elements apart; y is [rows, width] in the format of the
/// kernel, rows `y_stride` elements apart, and groups is the same in groups of codes (quantise.hpp); each
/// null where it is not wanted. Width is a multiple of 32. A thread is handed the columns it owns.
struct activation_args {
  const float* gate = nullptr;
  const float* up = nullptr;
  std::size_t stride = 0;
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  void* y = nullptr;
  std::size_t y_stride = 0;
  activation_kind kind = activation_kind::silu;
  input_group* groups = nullptr;
  std::size_t groups_stride = 0;  ///< groups
  std::int8_t* high = nullptr;    ///< of these columns in a row of `high_codes`; null: all is in the groups
  std::int8_t* marks = nullptr;   ///< theirs
  std::size_t high_stride = 0;    ///< bytes from row to row, of both
};

using activation_kernel = void (*)(const activation_args&);

}  // namespace lorica
