#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "text/added_tokens.hpp"
#include "text/normalizer.hpp"
#include "text/post_processor.hpp"
#include "text/pre_tokenizer.hpp"
#include "text/token_decoder.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// A token that merges may join to, with the score that tells when. Its text stands in the vocabulary.
struct token_score {
  std::size_t token = 0;  ///< place in the list of tokens
  float score = 0;
  bool unused = false;  ///< merges go through it only
};

/// What a tokenizer file says, before its parts are checked against each other. Loaders fill it.
struct tokenizer_parts {
  std::vector<std::pair<std::string, token_id>> tokens;     ///< the model's vocabulary
  std::vector<std::pair<std::string, std::string>> merges;  ///< in order of rank
  std::optional<std::vector<token_score>> scores;           ///< in place of merges
  bool byte_level = false;                                  ///< the texts of tokens are in the byte alphabet
  bool byte_fallback = false;                               ///< characters without a token become `<0xXX>`
  bool ignore_merges = false;
  bool fuse_unknown = false;
  std::optional<std::string> unknown_token;
  std::vector<added_token> added;
  std::vector<normalizer::step> normal;
  std::vector<pre_tokenizer::rule> pre;
  token_decoder::options decoder;
  post_processor post;
  std::vector<token_id> eos;
};

/// Checks the parts and builds the tokenizer; `errc::bad_model` names the part that does not fit.
result<std::shared_ptr<const tokenizer>> build_tokenizer(tokenizer_parts parts);

}  // namespace lorica
