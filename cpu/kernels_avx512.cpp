#include "cpu/kernels.hpp"
#include "cpu/simd_avx512.hpp"
// Bodies, in terms of the vectors above.
#include "cpu/format_kernel.hpp"
// Needs the formats; what follows needs it.
#include "cpu/quantise_kernel.hpp"
// The same.
#include "cpu/norm_kernel.hpp"
#include "cpu/softcap_kernel.hpp"
// In any order.
#include "cpu/activation_kernel.hpp"
#include "cpu/attention_kernel.hpp"
#include "cpu/gemm_kernel.hpp"
#include "cpu/lora_kernel.hpp"
#include "cpu/outputs_kernel.hpp"
#include "cpu/quantised_gemm_kernel.hpp"
#include "cpu/rope_kernel.hpp"
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
                                summary};

}  // namespace

const kernel_table& avx512_kernels(cpu_dtype dtype) noexcept {
  return dtype == cpu_dtype::float32 ? table<float32_format> : table<bfloat16_format>;
}

}  // namespace lorica
