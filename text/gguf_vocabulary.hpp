#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "files/gguf.hpp"
#include "text/tokenizer_parts.hpp"

namespace lorica {

/// Kinds of tokens in a GGUF file; numbers are those of SentencePiece.
namespace gguf_token {
inline constexpr std::int32_t normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5;
}  // namespace gguf_token

/// The `tokenizer.ggml.*` keys of a GGUF file.
struct gguf_vocabulary {
  std::string model;                        ///< `gpt2` = byte-level BPE, `llama` = SentencePiece
  std::string pre;                          ///< names the pre-tokenizer; empty when the key is absent
  std::string architecture{};               ///< `general.architecture`
  std::vector<std::string> tokens{};        ///< by id
  std::vector<std::int32_t> token_types{};  ///< by id; may be empty
  std::vector<float> scores{};              ///< by id, of `llama`
  std::vector<std::string> merges{};        ///< "a b", in order of rank, of `gpt2`
  std::optional<token_id> bos{}, eos{}, eot{}, eom{}, unknown{};
  std::optional<bool> add_bos{}, add_eos{};  ///< absent: as usual for `pre`
  std::optional<bool> add_space_prefix{};    ///< absent: true
  bool has_charsmap = false;                 ///< `precompiled_charsmap` is there
};

/// Takes the keys out of a file's header; `errc::bad_model` names a key that is missing or of another kind.
result<gguf_vocabulary> read_vocabulary(const gguf_header& header);

/// Names the parts of the tokenizer that such a file describes. Control, unknown and user-defined tokens
/// become added tokens. `errc::bad_model` for models and pre-tokenizers that are not known.
result<tokenizer_parts> describe(gguf_vocabulary file);

/// What `describe` adds for each model, tokens being there already.
result<void> add_byte_level(const gguf_vocabulary& file, tokenizer_parts& parts);
result<void> add_sentencepiece(gguf_vocabulary& file, tokenizer_parts& parts);

/// The ids around a text and those that end one; `add_bos` counts when the file does not say.
result<void> add_surround(const gguf_vocabulary& file, bool add_bos, tokenizer_parts& parts);

}  // namespace lorica
