#include "cpu/kernels.hpp"
#include "cpu/simd_avx2.hpp"
// Bodies, in terms of the vectors above.
#include "cpu/all_kernels.hpp"

namespace lorica {

const kernel_table& avx2_kernels(cpu_dtype dtype) noexcept {
  return table_of(dtype);
}

}  // namespace lorica
