#include "cpu/isa.hpp"

namespace lorica {

bool runs_here(isa i) noexcept {
  if (i == isa::portable) return true;
#if defined(__x86_64__)
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (i == isa::avx2) return avx2;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
#else
  return false;
#endif
}

isa best_isa() noexcept {
  if (runs_here(isa::avx512)) return isa::avx512;
  return runs_here(isa::avx2) ? isa::avx2 : isa::portable;
}

}  // namespace lorica
