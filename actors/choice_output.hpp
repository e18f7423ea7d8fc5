#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/generation.hpp"
#include "text/incremental_decoder.hpp"
#include "text/stop_matcher.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// One choice of a request on its way from ids to text: decoding, stop strings, the end. The texts of its
/// tokens concatenate to `text()`; what is held back comes with a later token, at the latest with the last.
/// Owned by one session; no locks.
class choice_output {
 public:
  /// `prompt` holds the ids that the text goes on behind; it is only looked at.
  choice_output(std::shared_ptr<const tokenizer> vocabulary, const generation_request& request,
                std::span<const token_id> prompt);

  /// Adds a token; `end` when the scheduler ended the choice with it. Not to be called after `ended()`. A
  /// token that ends the generation adds no text when it is special, or a stop token and stops are left out.
  /// Stop strings count from the first text behind `min_tokens` tokens on, as in vLLM.
  generated_token push(token_id id, float logprob, std::optional<finish_reason> end);

  /// Why the choice ended, once it has. A stop string wins over the scheduler's reason.
  const std::optional<finish_reason>& ended() const noexcept { return ended_; }

  /// What ended it, for vLLM's `stop_reason`.
  const stop_cause& cause() const noexcept { return cause_; }

  std::uint32_t tokens() const noexcept { return tokens_; }

  /// The generated text so far, without what is held back.
  const std::string& text() const noexcept { return text_; }

 private:
  std::string show(std::string_view piece);
  bool hides(token_id id, std::optional<finish_reason> end) const;

  std::shared_ptr<const tokenizer> vocabulary_;
  bool skip_special_;
  incremental_decoder decoder_;
  stop_matcher stops_;
  bool include_stop_;
  std::uint32_t min_tokens_;
  std::optional<finish_reason> ended_;
  stop_cause cause_;
  std::uint32_t tokens_ = 0;
  std::string text_;
};

}  // namespace lorica
