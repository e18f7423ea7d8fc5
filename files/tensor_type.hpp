#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lorica {

/// Element types that a base model or adapter may be stored in. Quantised ones are the blocks of GGUF: 32
/// elements, or 256 in the K types.
enum class tensor_type : std::uint8_t { f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k };

/// How a type lies in a file.
struct tensor_layout {
  std::string_view name;         ///< as users know it: `F32`, `Q4_1`
  std::uint32_t block_elements;  ///< 1 for plain types
  std::uint32_t block_bytes;
};

/// Index = `tensor_type`.
inline constexpr std::array<tensor_layout, 11> tensor_layouts = {{{"F32", 1, 4},
                                                                  {"F16", 1, 2},
                                                                  {"BF16", 1, 2},
                                                                  {"Q8_0", 32, 34},
                                                                  {"Q4_0", 32, 18},
                                                                  {"Q4_1", 32, 20},
                                                                  {"Q5_0", 32, 22},
                                                                  {"Q5_1", 32, 24},
                                                                  {"Q4_K", 256, 144},
                                                                  {"Q5_K", 256, 176},
                                                                  {"Q6_K", 256, 210}}};

constexpr const tensor_layout& layout_of(tensor_type t) noexcept {
  return tensor_layouts[static_cast<std::size_t>(t)];
}

/// Elements per block.
constexpr std::uint32_t block_elements(tensor_type t) noexcept {
  return layout_of(t).block_elements;
}

/// Bytes per block.
constexpr std::uint32_t block_bytes(tensor_type t) noexcept {
  return layout_of(t).block_bytes;
}

/// The layout's name.
constexpr std::string_view to_string(tensor_type t) noexcept {
  return layout_of(t).name;
}

}  // namespace lorica
