#include "cpu/kernels.hpp"

namespace lorica {

const kernel_table& kernels_for(isa i, cpu_dtype dtype) noexcept {
#if defined(LORICA_X86_KERNELS)
  if (i == isa::avx512) return avx512_kernels(dtype);
  if (i == isa::avx_vnni) return avx_vnni_kernels(dtype);
  if (i == isa::avx2) return avx2_kernels(dtype);
#else
  static_cast<void>(i);
#endif
  return portable_kernels(dtype);
}

}  // namespace lorica
