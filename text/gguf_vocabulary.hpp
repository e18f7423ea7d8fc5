#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "files/gguf.hpp"
#include "text/tokenizer_parts.hpp"

namespace lorica {

/// The `tokenizer.ggml.*` keys of a GGUF file.
struct gguf_vocabulary {
  std::string model;                        ///< `gpt2` = byte-level BPE
  std::string pre;                          ///< names the pre-tokenizer; empty when the key is absent
  std::vector<std::string> tokens{};        ///< by id
  std::vector<std::int32_t> token_types{};  ///< by id; may be empty
  std::vector<std::string> merges{};        ///< "a b", in order of rank
  std::optional<token_id> bos{}, eos{}, eot{}, eom{};
  std::optional<bool> add_bos{}, add_eos{};  ///< absent: as usual for `pre`
};

/// Takes the keys out of a file's header; `errc::bad_model` names a key that is missing or of another kind.
result<gguf_vocabulary> read_vocabulary(const gguf_header& header);

/// Names the parts of the tokenizer that such a file describes. Control and user-defined tokens become added
/// tokens. `errc::bad_model` for models and pre-tokenizers that are not known.
result<tokenizer_parts> describe(gguf_vocabulary file);

}  // namespace lorica
