#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/shown.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// A refusal of a base model's file.
inline error refuse_model(std::string text) {
  return fail(errc::bad_model, std::move(text));
}

/// Largest sizes that are taken from a config: far above any model, far below what overflows a product of two
/// in 64 bits.
struct config_bounds {
  static constexpr std::uint32_t layers = 4'096;
  static constexpr std::uint32_t width = 1u << 20;  ///< hidden, ffn
  static constexpr std::uint32_t heads = 65'536;
  static constexpr std::uint32_t head_dim = 4'096;
  static constexpr std::uint32_t vocab = 1u << 24;
  static constexpr std::uint32_t positions = std::numeric_limits<std::int32_t>::max();
};

/// What a reader of either format checks last: heads divide, rotary pairs exist, the blends of llama3 and
/// yarn are defined, end ids are in the vocabulary. `file` names the file in the text.
result<void> check_config(const model_config& config, const std::string& file);

}  // namespace lorica
