#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "engine/adapter_weights.hpp"
#include "model/model_config.hpp"

namespace lorica {

/// The sites of a LoRA in a GGUF file, with what people should know.
struct gguf_lora {
  std::vector<lora_site> sites;  ///< canonical order, rows as in Hugging Face models
  std::vector<std::string> warnings;
};

/// Reads a whole GGUF file that llama.cpp's converter made of a PEFT adapter: `general.type` is `adapter`,
/// `adapter.type` is `lora`, pairs `<tensor of the base>.lora_a` [r, in] and `.lora_b` [out, r] of any served
/// element type, A of `token_embd` transposed. Rows of B that the file stores in the order of its family's q
/// and k are brought back. The scaling is `adapter.lora.alpha` / r, or 1 when that is 0. `name` is the
/// file's, for error texts. Looks at `stop` at least every 200 ms; fails with `errc::bad_adapter` or
/// `errc::cancelled`.
result<gguf_lora> parse_gguf_lora(std::string_view name, std::span<const std::byte> file,
                                  const model_config& base, std::uint32_t max_rank,
                                  const std::stop_token& stop);

}  // namespace lorica
