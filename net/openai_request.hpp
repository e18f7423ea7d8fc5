#pragma once

#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "core/generation.hpp"
#include "core/server_info.hpp"
#include "core/value.hpp"

namespace lorica {

/// Which chunks of a stream carry `usage`.
enum class usage_chunks : std::uint8_t { none, last, every };

/// A checked body of `/v1/completions`.
struct openai_request {
  generation_request generation;
  std::string model;  ///< as asked for; the base's id when nothing was asked
  bool stream = false;
  usage_chunks usage = usage_chunks::none;
  bool logprobs = false;         ///< `logprobs` was a number: how many is in `generation`
  bool echo = false;             ///< the prompt comes first in every choice's text
  bool prompt_logprobs = false;  ///< vLLM's list of that name is wanted
};

/// Checks a body against the limits. `seed` is used when the client gives none. Fields that other servers
/// know and this one does not serve are refused by name; unknown ones are ignored.
result<openai_request> read_openai_request(const value& body, const server_info& info, std::uint64_t seed);

}  // namespace lorica
