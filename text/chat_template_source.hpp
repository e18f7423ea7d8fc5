#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "files/gguf.hpp"
#include "text/chat_template.hpp"

namespace lorica {

/// The chat templates that a model's files hold, as text, and the special tokens they may print.
struct chat_template_source {
  struct named_text {
    std::string name;  ///< `default`, `tool_use`, …
    std::string text;
  };
  std::vector<named_text> templates;  ///< empty: a model without a chat template
  special_token_texts special_tokens;
  std::optional<error> problem;  ///< a file that could not be used; the server starts all the same
};

/// Reads what belongs to the model at a path: of a directory `chat_template.jinja` and
/// `additional_chat_templates/*.jinja`, which together take the place of `chat_template` in
/// `tokenizer_config.json` (a text or a list of names and texts), and the special tokens of that file and of
/// `special_tokens_map.json`; of a GGUF file `tokenizer.chat_template`, `tokenizer.chat_template.NAME` and
/// the tokens that its ids name. Reads are bounded; nothing here fails, see `problem`.
chat_template_source read_chat_templates(const std::string& model_path);

/// Of a GGUF file's header.
chat_template_source gguf_chat_templates(const gguf_header& header);

}  // namespace lorica
