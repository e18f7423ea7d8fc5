#pragma once

// All kernels for one set of instructions, and their table; included once by each kernels_*.cpp, after its
// simd_*.hpp. Internal linkage: see there.

// Needs the vectors only.
#include "cpu/format_kernel.hpp"
// Need the formats; what follows needs them.
#include "cpu/quantise_kernel.hpp"
#include "cpu/quantised_format_kernel.hpp"
// The same.
#include "cpu/norm_kernel.hpp"
#include "cpu/quantised_gemm_kernel.hpp"
#include "cpu/softcap_kernel.hpp"
// The walk of attention, and the two ways to keep K and V.
#include "cpu/attention_kernel.hpp"
// In any order.
#include "cpu/attention_codes_kernel.hpp"
#include "cpu/attention_values_kernel.hpp"
// The same.
#include "cpu/rope_kernel.hpp"
// In any order.
#include "cpu/activation_kernel.hpp"
#include "cpu/gemm_kernel.hpp"
#include "cpu/lora_codes_kernel.hpp"
#include "cpu/lora_kernel.hpp"
#include "cpu/outputs_kernel.hpp"
#include "cpu/rope_codes_kernel.hpp"
#include "cpu/summary_kernel.hpp"

namespace lorica {
namespace {

template <class Format>
constexpr kernel_table table = {gemm<Format>,
                                shrink<Format>,
                                norm<Format>,
                                norm_add,
                                rope<Format>,
                                attention<Format>,
                                activation<Format>,
                                softcap,
                                outputs,
                                quantise<Format>,
                                quantised_gemm<q8_0_format>,
                                quantised_gemm<q4_0_format>,
                                quantised_gemm<q4_1_format>,
                                summary,
                                shrink_codes,
                                quantise_low_rank,
                                expand_codes,
                                rope_codes,
                                attention_codes<Format>};

const kernel_table& table_of(cpu_dtype dtype) noexcept {
  return dtype == cpu_dtype::float32 ? table<float32_format> : table<bfloat16_format>;
}

}  // namespace
}  // namespace lorica
