#include "cpu/kernels.hpp"
#include "cpu/simd_portable.hpp"
// Bodies, in terms of the vectors above.
#include "cpu/all_kernels.hpp"

namespace lorica {

const kernel_table& portable_kernels(cpu_dtype dtype) noexcept {
  return table_of(dtype);
}

}  // namespace lorica
