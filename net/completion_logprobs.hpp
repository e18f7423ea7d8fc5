#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "core/generation.hpp"
#include "core/json.hpp"

namespace lorica {

/// Writes OpenAI's `logprobs` objects of one completion, in one piece or piece by piece: tokens, their
/// log-probabilities, alternatives by text, and where each token's text begins in the choice's text, in
/// Unicode code points.
class completion_logprobs {
 public:
  /// The object of the next tokens, the first `prompt` of which are the prompt's: where those have no
  /// log-probability, as the very first, there are nulls.
  void write(json_writer& w, std::span<const generated_token> tokens, std::size_t prompt);

 private:
  std::size_t offset_ = 0;  ///< code points told so far
};

/// vLLM's `prompt_logprobs`: per token an object of alternatives by id; null for the first.
void write_prompt_logprobs(json_writer& w, std::span<const generated_token> prompt);

/// What a token stands for alone, with U+FFFD where that is no whole character.
std::string token_text(const generated_token& t);

}  // namespace lorica
