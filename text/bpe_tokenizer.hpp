#pragma once

#include <string_view>
#include <vector>

#include "text/added_tokens.hpp"
#include "text/bpe.hpp"
#include "text/normalizer.hpp"
#include "text/post_processor.hpp"
#include "text/pre_tokenizer.hpp"
#include "text/tokenizer.hpp"
#include "text/vocabulary.hpp"

namespace lorica {

/// Tokenizer by pair merges: added tokens, normalizer, added tokens again, pre-tokenizer, merges,
/// post-processor, in this order.
class bpe_tokenizer final : public tokenizer {
 public:
  struct parts {
    vocabulary words;
    added_token_matcher raw;         ///< `normalized: false`
    added_token_matcher normalised;  ///< `normalized: true`, contents normalised
    normalizer normal;
    pre_tokenizer pre;
    bpe merges;
    post_processor post;
    std::vector<token_id> eos;
  };

  explicit bpe_tokenizer(parts p);

  result<std::vector<token_id>> encode(std::string_view text, bool add_special_tokens) const override;
  result<std::vector<token_id>> encode_rendered(const template_text& text) const override;
  result<std::vector<token_span>> encode_spans(std::string_view text, bool add_special_tokens) const override;
  result<std::vector<token_span>> rendered_spans(const template_text& text) const override;
  std::string_view bytes(token_id id) const override;
  std::string_view first_bytes(token_id id) const override;
  bool is_special(token_id id) const override;
  std::uint32_t size() const override;
  const std::vector<token_id>& eos() const override;

 private:
  parts parts_;
};

}  // namespace lorica
