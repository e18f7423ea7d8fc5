#include "cpu/bfloat.hpp"

#include "core/each_isa.hpp"

namespace lorica {

LORICA_EACH_ISA void to_bfloats(const float* from, std::size_t count, std::uint16_t* out) noexcept {
  for (std::size_t i = 0; i < count; ++i)
    out[i] = to_bfloat(from[i]);
}

}  // namespace lorica
