#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// Sets of instructions that kernels are built for. `avx512` means F, BW, DQ, VL, BF16 and VNNI; `avx2` AVX2,
/// FMA and F16C; `avx_vnni` these and AVX-VNNI.
enum class isa : std::uint8_t { portable, avx2, avx_vnni, avx512 };

constexpr std::string_view to_string(isa i) noexcept {
  switch (i) {
    case isa::avx512: return "avx512";
    case isa::avx_vnni: return "avx_vnni";
    case isa::avx2: return "avx2";
    default: return "portable";
  }
}

/// Whether this build has the kernels and this processor can run them.
bool runs_here(isa i) noexcept;

/// The widest one that runs here, or `wanted`. Fails with `errc::bad_config` when `wanted` does not run here.
result<isa> choose_isa(std::optional<isa> wanted);

}  // namespace lorica
