#include "cpu/kernels.hpp"
// Sums of four products in one instruction; the rest is AVX2.
#define LORICA_AVX_VNNI
#include "cpu/simd_avx2.hpp"
// Bodies, in terms of the vectors above.
#include "cpu/all_kernels.hpp"

namespace lorica {

const kernel_table& avx_vnni_kernels(cpu_dtype dtype) noexcept {
  return table_of(dtype);
}

}  // namespace lorica
