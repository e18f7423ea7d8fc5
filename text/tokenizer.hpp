#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/tokenize_service.hpp"
#include "text/template_text.hpp"

namespace lorica {

/// Text to token ids and back. A text is the `bytes` of its tokens joined, but for the first token that
/// stands for any: that one gives its `first_bytes`. Immutable after loading: any number of threads may use
/// one object. Parts of a tokenizer file that are not understood refuse to load (`errc::bad_model`).
class tokenizer {
 public:
  virtual ~tokenizer() = default;

  /// Ids of `text` (valid UTF-8; invalid sequences count as U+FFFD). `add_special_tokens` applies the
  /// post-processor. Added tokens in the text are matched. Fails only when a regex limit is reached.
  virtual result<std::vector<token_id>> encode(std::string_view text, bool add_special_tokens) const = 0;

  /// Ids of a rendered conversation, nothing added. As `encode`, but an added token is found only where none
  /// of its bytes came from the request: nobody forges the tokens that the template writes. Fails with
  /// `errc::invalid` for text of a request that the model has no other spelling for than a special token.
  virtual result<std::vector<token_id>> encode_rendered(const template_text& text) const = 0;

  /// As `encode`, with the piece of the input each id covers. Special tokens added by the post-processor
  /// cover nothing.
  virtual result<std::vector<token_span>> encode_spans(std::string_view text,
                                                       bool add_special_tokens) const = 0;

  /// As `encode_rendered`, with the piece of the text each id covers.
  virtual result<std::vector<token_span>> rendered_spans(const template_text& text) const = 0;

  /// Raw bytes a token stands for when decoded; may be a part of a character. Empty for ids outside the
  /// vocabulary.
  virtual std::string_view bytes(token_id id) const = 0;

  /// As `bytes`, for the token that begins a text: SentencePiece-like vocabularies lose the space there that
  /// `encode` put in front.
  virtual std::string_view first_bytes(token_id id) const { return bytes(id); }

  /// True for ids that `skip_special_tokens` drops.
  virtual bool is_special(token_id id) const = 0;

  /// Number of ids, holes included.
  virtual std::uint32_t size() const = 0;

  /// Ids that end a generation as far as the tokenizer's files tell (GGUF eos/eot/eom); may be empty.
  virtual const std::vector<token_id>& eos() const = 0;
};

/// Loads `tokenizer.json` from a Hugging Face directory or the `tokenizer.ggml.*` keys of a `.gguf` file.
result<std::shared_ptr<const tokenizer>> open_tokenizer(const std::string& model_path);

}  // namespace lorica
