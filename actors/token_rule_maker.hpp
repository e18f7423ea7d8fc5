#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/generation.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// What a request says of single tokens, before the vocabulary was asked.
struct rule_wishes {
  std::vector<token_bias> biases = {};
  std::optional<std::vector<token_id>> allowed = {};
  std::vector<std::string> bad_words = {};
  std::vector<token_id> stops = {};
  std::vector<token_id> eos = {};  ///< the model's, to be held back for `min_tokens`
  std::optional<watermark> mark = {};
  std::optional<token_id> end_of_turn = {};  ///< one more stop
  std::uint32_t min_tokens = 0;
};

/// The rules that a request's wishes come to; none where it has no wishes. Bad words are encoded as they are
/// and, where that is another first token and as many of them, with a space in front, as in vLLM. Ids outside
/// the vocabulary, biases outside [-100, 100], lists beyond their bounds and rules that leave no first token
/// are `errc::invalid`; the text names field, value and bound. Encodes texts: for a thread that may take its
/// time.
result<shared_rules> make_token_rules(const rule_wishes& wishes, const tokenizer& vocabulary);

}  // namespace lorica
