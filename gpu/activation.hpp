#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/stream.hpp"
#include "model/model_config.hpp"

namespace lorica::gpu {

/// y = f(g) ⊙ u after both projections (Shazeer 2020). f is one of
///
///     silu       g / (1 + exp(-g))
///     gelu_tanh  g / (1 + exp(-2 t)), t = sqrt(2/π) (g + 0.044715 g³): g (1 + tanh t) / 2 written with one
///     exp gelu       g (1 + erf(g / sqrt 2)) / 2
///
/// g and u are [rows, width] in `format`, rows `stride` elements apart: two parts of one product. y is
/// bfloat16 [rows, width], rows `y_stride` apart; it may be g or u where these are bfloat16 and the strides
/// equal. Any width and alignment; four columns at a time where all of it is on 16 bytes. A thread per column
/// or four.
struct activation_args {
  const void* gate = nullptr;
  const void* up = nullptr;
  number_format format = number_format::bfloat16;
  std::size_t stride = 0;  ///< elements
  std::uint32_t rows = 0;
  std::uint32_t width = 0;
  bfloat* y = nullptr;
  std::size_t y_stride = 0;  ///< elements
  activation_kind kind = activation_kind::silu;
};

result<void> activate(const activation_args& a, const stream& s);

}  // namespace lorica::gpu
