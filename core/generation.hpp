#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace lorica {

/// How the next token is chosen. Neutral values switch a step off.
struct sampling_params {
  bool sample = false;              ///< false: greedy
  float temperature = 1.0f;         ///< > 0
  std::uint32_t top_k = 0;          ///< 0: off
  float top_p = 1.0f;               ///< 1: off
  float typical_p = 1.0f;           ///< 1: off; locally typical sampling (Meister 2022)
  float repetition_penalty = 1.0f;  ///< 1: off; over prompt and generated tokens (CTRL, Keskar 2019)
  float frequency_penalty = 0.0f;   ///< 0: off; times the count among generated tokens (OpenAI)
  std::uint64_t seed = 0;           ///< always set; drawn at the door when the client gave none

  bool operator==(const sampling_params&) const = default;
};

/// The most adapters that one request may name.
inline constexpr std::size_t most_adapters = 8;

/// What several weighted adapters on one request amount to, with s_i the scaling of adapter i.
enum class combination : std::uint8_t {
  sum,     ///< sum of w_i s_i B_i A_i: the weighted sum of their updates (PEFT's `cat`)
  linear,  ///< s_1 (sum of w_i B_i) (sum of w_i A_i): the sums of their matrices (LoRAX's `linear`)
};

/// An adapter that a request names.
struct named_adapter {
  std::string name;
  float weight = 1.0f;  ///< finite

  bool operator==(const named_adapter&) const = default;
};

/// What a client wants of one prompt, after validation of everything that needs no tokenizer.
struct generation_request {
  std::string request_id;
  std::vector<named_adapter> adapters;  ///< as asked for, in order; empty: base, usually one
  combination combine = combination::sum;
  std::variant<std::string, std::vector<token_id>> prompt;
  std::optional<std::uint32_t> max_new_tokens;  ///< absent: up to max_total_tokens
  std::optional<std::uint32_t> truncate;        ///< keep the last n prompt tokens
  std::vector<std::string> stop;
  bool include_stop = false;  ///< keep the matched stop string in the text
  bool ignore_eos = false;
  bool add_special_tokens = true;
  bool skip_special_tokens = true;
  std::uint32_t choices = 1;          ///< independent choices of this prompt, seeds seed, seed+1, …
  bool prompt_tokens_wanted = false;  ///< report prompt ids and texts in `generation_started`
  sampling_params sampling;
};

enum class finish_reason : std::uint8_t { length, eos_token, stop_sequence };

/// TGI's words: `length`, `eos_token`, `stop_sequence`.
constexpr std::string_view to_string(finish_reason r) noexcept {
  switch (r) {
    case finish_reason::length: return "length";
    case finish_reason::eos_token: return "eos_token";
    default: return "stop_sequence";
  }
}

/// One adapter that answers a request.
struct served_adapter {
  std::string name;
  adapter_version version;
  std::string tier;  ///< `device`, `host`, `disk`; where it was found
};

/// What answers a request: decided before the first byte and named in the reply's headers.
struct served_by {
  std::string model_id;                  ///< public id of the base
  std::vector<served_adapter> adapters;  ///< in the order asked for; empty: base
};

/// One token with its text. `text` is whole UTF-8 and may be empty while a character is incomplete; the texts
/// of a choice concatenate to its generated text.
struct generated_token {
  token_id id = 0;
  std::string text;
  float logprob = 0;  ///< natural logarithm over the full vocabulary, before temperature and penalties
  bool special = false;
  /// What a special token that the generated text leaves out stands for (`</s>`); else empty. TGI's token
  /// events show it where `text` is empty; it is part of no generated text and of no OpenAI delta.
  std::string hidden_text;
};

/// One step's progress of one choice.
struct generation_chunk {
  std::uint32_t choice = 0;
  std::vector<generated_token> tokens;
  bool last = false;  ///< the choice ends with these tokens: its `finished` follows at once
};

/// The end of one choice.
struct generation_finish {
  std::uint32_t choice = 0;
  finish_reason reason = finish_reason::length;
  std::string text;  ///< whole generated text, stop string removed unless asked for
  std::uint32_t generated_tokens = 0;
  std::uint64_t seed = 0;
};

/// Where the time of a request went.
struct generation_timings {
  std::chrono::nanoseconds validation{0};  ///< name resolution and tokenising
  std::chrono::nanoseconds queue{0};       ///< submitted until admitted
  std::chrono::nanoseconds inference{0};   ///< admitted until the last token
};

/// Facts known once the prompt is tokenised and the adapter resolved.
struct generation_started {
  served_by served;
  std::uint32_t prompt_tokens = 0;
  std::vector<generated_token> prompt;  ///< only with `prompt_tokens_wanted`; logprobs are not computed
};

}  // namespace lorica
