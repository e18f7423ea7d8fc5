#include "cpu/isa.hpp"

#include <string>

namespace lorica {

bool runs_here(isa i) noexcept {
#if defined(LORICA_X86_KERNELS)
  __builtin_cpu_init();
  switch (i) {
    case isa::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
    case isa::avx_vnni: return runs_here(isa::avx2) && __builtin_cpu_supports("avxvnni");
    case isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
    default: return true;
  }
#else
  return i == isa::portable;
#endif
}

result<isa> choose_isa(std::optional<isa> wanted) {
  if (wanted && !runs_here(*wanted))
    return fail(errc::bad_config, "instructions: " + std::string(to_string(*wanted)) +
                                      " does not run on this processor; portable always does");
  if (wanted) return *wanted;
  for (auto i : {isa::avx512, isa::avx_vnni, isa::avx2})
    if (runs_here(i)) return i;
  return isa::portable;
}

}  // namespace lorica
