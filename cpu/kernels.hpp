#pragma once

#include "cpu/activation.hpp"
#include "cpu/attention.hpp"
#include "cpu/gemm.hpp"
#include "cpu/isa.hpp"
#include "cpu/lora.hpp"
#include "cpu/lora_codes.hpp"
#include "cpu/norm.hpp"
#include "cpu/outputs.hpp"
#include "cpu/quantise.hpp"
#include "cpu/rope.hpp"
#include "cpu/softcap.hpp"
#include "cpu/summary.hpp"

namespace lorica {

/// How adapters, the inputs of linear maps and the KV cache are stored; sums are always float32.
enum class cpu_dtype : std::uint8_t { float32, bfloat16 };

constexpr std::string_view to_string(cpu_dtype d) noexcept {
  return d == cpu_dtype::float32 ? "float32" : "bfloat16";
}

/// Weights that are stored as everything else is.
constexpr weight_format plain_format(cpu_dtype d) noexcept {
  return d == cpu_dtype::float32 ? weight_format::float32 : weight_format::bfloat16;
}

/// Bytes of one stored element.
constexpr std::uint32_t element_bytes(cpu_dtype d) noexcept {
  return d == cpu_dtype::float32 ? 4 : 2;
}

/// The kernels of one set of instructions in one format. Stateless; any thread may call them.
struct kernel_table {
  gemm_kernel gemm = nullptr;  ///< weights in the table's format
  shrink_kernel shrink = nullptr;
  norm_kernel norm = nullptr;
  norm_add_kernel norm_add = nullptr;
  rope_kernel rope = nullptr;
  attention_kernel attention = nullptr;
  activation_kernel activation = nullptr;
  softcap_kernel softcap = nullptr;
  outputs_kernel outputs = nullptr;
  quantise_kernel quantise = nullptr;
  gemm_kernel gemm_q8_0 = nullptr;
  gemm_kernel gemm_q4_0 = nullptr;
  gemm_kernel gemm_q4_1 = nullptr;
  summary_kernel summary = nullptr;
  shrink_codes_kernel shrink_codes = nullptr;
  quantise_low_rank_kernel quantise_low_rank = nullptr;
  expand_codes_kernel expand_codes = nullptr;
  rope_kernel rope_codes = nullptr;            ///< K and V become codes
  attention_kernel attention_codes = nullptr;  ///< with those

  /// The product with weights of this format; where they are plain, the table's.
  gemm_kernel gemm_for(weight_format f) const noexcept {
    switch (f) {
      case weight_format::q8_0: return gemm_q8_0;
      case weight_format::q4_0: return gemm_q4_0;
      case weight_format::q4_1: return gemm_q4_1;
      default: return gemm;
    }
  }
};

/// The kernels for `i`, which `runs_here`.
const kernel_table& kernels_for(isa i, cpu_dtype dtype) noexcept;

// One per translation unit, each compiled for its instructions.
const kernel_table& portable_kernels(cpu_dtype dtype) noexcept;
const kernel_table& avx2_kernels(cpu_dtype dtype) noexcept;
const kernel_table& avx_vnni_kernels(cpu_dtype dtype) noexcept;
const kernel_table& avx512_kernels(cpu_dtype dtype) noexcept;

}  // namespace lorica
