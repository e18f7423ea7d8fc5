#pragma once

#include <cstdint>
#include <string>

#include "core/generation.hpp"

namespace lorica {

/// Which chunks of a stream carry `usage`.
enum class usage_chunks : std::uint8_t { none, last, every };

/// What a client wants told besides text.
struct openai_wishes {
  usage_chunks usage = usage_chunks::none;  ///< of streams
  bool logprobs = false;         ///< of the generated tokens; how many alternatives is in the generation
  bool echo = false;             ///< completions: the prompt stands before each choice's text
  bool prompt_logprobs = false;  ///< vLLM's list of that name, of replies in one piece
  bool token_ids = false;        ///< vLLM's `token_ids` and `prompt_token_ids`
  std::string echoed = {};       ///< chats: stands before each choice's text
};

/// A checked body of `/v1/completions` or `/v1/chat/completions`.
struct openai_request {
  generation_request generation;
  std::string model;  ///< as asked for; the base's id when nothing was asked
  bool stream = false;
  openai_wishes wishes;
};

}  // namespace lorica
