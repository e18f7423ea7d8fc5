#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace lorica {

/// Element types that a base model or adapter may be stored in. Quantised ones are the 32-element blocks of
/// GGUF.
enum class tensor_type : std::uint8_t { f32, f16, bf16, q8_0, q4_0, q4_1 };

/// Elements per block: 1 for plain types, 32 for quantised ones.
constexpr std::uint32_t block_elements(tensor_type t) noexcept {
  return t == tensor_type::q8_0 || t == tensor_type::q4_0 || t == tensor_type::q4_1 ? 32 : 1;
}

/// Bytes per block.
constexpr std::uint32_t block_bytes(tensor_type t) noexcept {
  switch (t) {
    case tensor_type::f32: return 4;
    case tensor_type::f16:
    case tensor_type::bf16: return 2;
    case tensor_type::q8_0: return 34;
    case tensor_type::q4_0: return 18;
    default: return 20;
  }
}

/// Name as users know it: `F32`, `Q4_1`.
constexpr std::string_view to_string(tensor_type t) noexcept {
  switch (t) {
    case tensor_type::f32: return "F32";
    case tensor_type::f16: return "F16";
    case tensor_type::bf16: return "BF16";
    case tensor_type::q8_0: return "Q8_0";
    case tensor_type::q4_0: return "Q4_0";
    default: return "Q4_1";
  }
}

}  // namespace lorica
