#pragma once

#include <memory>
#include <string_view>

#include "core/error.hpp"
#include "text/json_part.hpp"
#include "text/tokenizer.hpp"
#include "text/tokenizer_parts.hpp"

namespace lorica {

/// Reads the text of a `tokenizer.json` with a BPE model, byte-level or of characters. Truncation and padding
/// settings are not looked at, they belong to training. Anything else that is not understood is
/// `errc::bad_model` with its name.
result<std::shared_ptr<const tokenizer>> parse_tokenizer_json(std::string_view text);

/// Longest file taken, in bytes.
inline constexpr std::size_t tokenizer_json_limit = 128u << 20;

/// The parts around the model, each from its object in the file; problems are noted in the part.
void read_normalizer(const json_part& normalizer, tokenizer_parts& parts);
void read_pre_tokenizer(const json_part& pre_tokenizer, tokenizer_parts& parts);
void read_post_processor(const json_part& post_processor, tokenizer_parts& parts);
void read_decoder(const json_part& decoder, tokenizer_parts& parts);

}  // namespace lorica
