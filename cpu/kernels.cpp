#include "cpu/kernels.hpp"

namespace lorica {

namespace portable {
const kernel_set& float32_kernels();
const kernel_set& bfloat16_kernels();
}  // namespace portable
namespace avx2 {
const kernel_set& float32_kernels();
const kernel_set& bfloat16_kernels();
}  // namespace avx2
namespace avx512 {
const kernel_set& float32_kernels();
const kernel_set& bfloat16_kernels();
}  // namespace avx512

const kernel_set& kernels_for(isa i, cpu_dtype t) {
  bool exact = t == cpu_dtype::float32;
#if defined(__x86_64__)
  if (i == isa::avx512) return exact ? avx512::float32_kernels() : avx512::bfloat16_kernels();
  if (i == isa::avx2) return exact ? avx2::float32_kernels() : avx2::bfloat16_kernels();
#endif
  return exact ? portable::float32_kernels() : portable::bfloat16_kernels();
}

}  // namespace lorica
