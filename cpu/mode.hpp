#pragma once

#include <string_view>

#include "cpu/kernels.hpp"
#include "cpu/quantised_weights.hpp"

namespace lorica {

/// What an executor computes in. With `int8` weights are codes of 4 or 8 bits, inputs of linear maps codes of
/// 8 bits, and everything else is as `dtype` says.
struct cpu_mode {
  cpu_dtype dtype;
  bool int8;
  bool int8_adapters;  ///< A and B are codes of 8 bits too; only with `int8`
  bool int8_kv;        ///< keys and values are; never with float32

  /// Implicit: every format of numbers is a mode.
  constexpr cpu_mode(cpu_dtype numbers, bool codes = false, bool adapters_too = false,
                     bool kv_too = false) noexcept
      : dtype(numbers),
        int8(codes),
        int8_adapters(codes && adapters_too),
        int8_kv(kv_too && numbers != cpu_dtype::float32) {}

  /// How a matrix that a file stores as `stored` is packed.
  weight_format format_of(tensor_type stored) const noexcept {
    return int8 ? quantised_format(stored) : plain_format(dtype);
  }
};

/// `int8` where most of the layers' weights lie in quantised blocks, as in most GGUF files, else bfloat16.
cpu_mode mode_like(const model_weights& model) noexcept;

constexpr std::string_view to_string(cpu_mode m) noexcept {
  return m.int8 ? "int8" : to_string(m.dtype);
}

/// How A and B are kept.
constexpr std::string_view adapter_format(cpu_mode m) noexcept {
  return m.int8_adapters ? "int8" : to_string(m.dtype);
}

/// How keys and values are kept.
constexpr std::string_view kv_format(cpu_mode m) noexcept {
  return m.int8_kv ? "int8" : to_string(m.dtype);
}

}  // namespace lorica
