#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lorica {

/// Instruction sets that the kernels are compiled for.
enum class isa : std::uint8_t { portable, avx2, avx512 };

constexpr std::string_view to_string(isa i) noexcept {
  return i == isa::portable ? "portable" : i == isa::avx2 ? "avx2" : "avx512";
}

/// The best instruction set that this machine and this build have.
isa best_isa() noexcept;

/// True when kernels of `i` can run here.
bool runs_here(isa i) noexcept;

}  // namespace lorica
