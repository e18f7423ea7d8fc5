#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// What is added to the logit of one token.
struct token_bias {
  token_id token = 0;
  float bias = 0;  ///< in [-100, 100]

  bool operator==(const token_bias&) const = default;
};

/// A watermark (Kirchenbauer et al. 2023, algorithm 2 with the key of TGI): the token before draws a share of
/// the vocabulary, whose logits are raised, so that a text with many of them is known as generated.
struct watermark {
  double gamma = 0.5;  ///< that share, in (0, 1)
  float delta = 2.0f;  ///< what is added, > 0

  bool operator==(const watermark&) const = default;
};

/// Which tokens may come next, as sets of ids of the vocabulary. Made once per request.
struct token_rules {
  std::vector<token_bias> biases;                ///< by token, each once
  std::optional<std::vector<token_id>> allowed;  ///< only these may be chosen; ascending, each once, some
  /// Never generated: the last token of each is masked where those before it were just generated; >= 1 token
  /// each.
  std::vector<std::vector<token_id>> bad_words;
  std::vector<token_id> stops;  ///< end the generation as the model's end tokens do; ascending
  std::vector<token_id> late;   ///< masked until `min_tokens` were generated; ascending, each once
  std::optional<watermark> mark = {};

  bool operator==(const token_rules&) const = default;
};

/// Rules that all rows of a request share; two are equal when their rules are. Immutable, any thread.
class shared_rules {
 public:
  shared_rules() = default;
  explicit shared_rules(token_rules rules) : rules_(std::make_shared<const token_rules>(std::move(rules))) {}

  explicit operator bool() const noexcept { return rules_ != nullptr; }
  const token_rules& operator*() const noexcept { return *rules_; }
  const token_rules* operator->() const noexcept { return rules_.get(); }

  bool operator==(const shared_rules& other) const {
    return rules_ == other.rules_ || (rules_ && other.rules_ && *rules_ == *other.rules_);
  }

 private:
  std::shared_ptr<const token_rules> rules_;
};

/// How the next token is chosen. Neutral values switch a step off; the order of the steps is that of
/// `engine/sampler.hpp`. Copied per row and step.
struct sampling_params {
  bool sample = false;              ///< false: greedy
  float temperature = 1.0f;         ///< > 0
  std::uint32_t top_k = 0;          ///< 0: off
  float top_p = 1.0f;               ///< 1: off
  float typical_p = 1.0f;           ///< 1: off; locally typical sampling (Meister 2022)
  float repetition_penalty = 1.0f;  ///< 1: off; over prompt and generated tokens (CTRL, Keskar 2019)
  float frequency_penalty = 0.0f;   ///< 0: off; times the count among generated tokens (OpenAI)
  std::uint64_t seed = 0;           ///< always set; drawn at the door when the client gave none
  float presence_penalty = 0.0f;    ///< 0: off; once per token present among generated tokens (OpenAI)
  float min_p = 0.0f;               ///< 0: off; in [0, 1], times the largest probability (Nguyen 2024)
  std::uint32_t min_tokens = 0;     ///< so many are generated before `token_rules::late` may be
  shared_rules rules = {};          ///< none: every token may come next; made by `actors/token_rule_maker`

  bool operator==(const sampling_params&) const = default;
};

}  // namespace lorica
