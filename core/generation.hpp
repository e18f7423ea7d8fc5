#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/conversation.hpp"
#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/sampling_params.hpp"

namespace lorica {

/// Bounds of a request's lists and counts, for whoever reads them from outside.
inline constexpr std::uint32_t most_top_logprobs = 20;
inline constexpr std::uint32_t most_choices = 128;  ///< `choices` and `best_of`, of all prompts together
inline constexpr std::size_t most_logit_biases = 1024;
inline constexpr std::size_t most_stop_tokens = 128;
inline constexpr std::ptrdiff_t most_cache_salt = 256;  ///< characters of a request's `cache_salt`
inline constexpr std::size_t most_bad_words = 1024;
inline constexpr std::size_t most_bad_word_bytes = std::size_t{1} << 16;  ///< of all together

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

/// What a client said itself, of what an adapter may have defaults for.
struct given_fields {
  bool temperature = false;  ///< or whether to sample
  bool top_k = false;
  bool top_p = false;
  bool typical_p = false;
  bool min_p = false;
  bool repetition_penalty = false;
  bool frequency_penalty = false;
  bool presence_penalty = false;
  bool max_new_tokens = false;
  bool stop = false;
};

/// A text, ids, or a conversation to be made one; the last is never null.
using prompt_source = std::variant<std::string, std::vector<token_id>, conversation_ptr>;

/// What a client wants of its prompts, after validation of everything that needs no tokenizer.
struct generation_request {
  std::string request_id;
  std::vector<named_adapter> adapters;  ///< as asked for, in order; empty: base, usually one
  combination combine = combination::sum;
  std::vector<prompt_source> prompts;           ///< at least one; each is answered by itself
  std::optional<std::uint32_t> max_new_tokens;  ///< absent: up to max_total_tokens
  std::optional<std::uint32_t> truncate;        ///< keep the last n prompt tokens
  std::vector<std::string> stop;
  bool include_stop = false;  ///< keep the matched stop string in the text
  bool ignore_eos = false;
  bool add_special_tokens = true;
  bool skip_special_tokens = true;
  /// Independent choices of each prompt, with seeds seed, seed+1, …; those of prompt p are numbered from
  /// p * choices on. All prompts together generate at most `most_choices` sequences.
  std::uint32_t choices = 1;
  bool prompt_tokens_wanted = false;  ///< report prompt ids and texts in `generation_started`
  given_fields given = {};   ///< the rest is filled in by the defaults of the adapter, where it has some
  sampling_params sampling;  ///< its `rules` are made of the fields below, with the vocabulary at hand

  /// Added to the logits, each in [-100, 100]; at most `most_logit_biases` (OpenAI's `logit_bias`).
  std::vector<token_bias> logit_bias = {};
  /// Only these tokens may be chosen; an empty list is refused (vLLM's `allowed_token_ids`).
  std::optional<std::vector<token_id>> allowed_token_ids = {};
  /// Texts that must not be generated, with and without a space in front (vLLM's `bad_words`).
  std::vector<std::string> bad_words = {};
  std::optional<watermark> mark = {};  ///< TGI's `watermark`
  /// Tokens that end the generation with `stop_sequence`; their text is left out unless `include_stop`.
  std::vector<token_id> stop_token_ids = {};

  /// Alternatives with each generated token, at most `most_top_logprobs`; 0: none.
  std::uint32_t top_logprobs = 0;
  /// Log-probabilities of the prompt tokens, with so many alternatives each; 0: of the tokens alone. The
  /// whole prompt is then computed, whatever a cache holds of it. Implies `prompt_tokens_wanted`.
  std::optional<std::uint32_t> prompt_logprobs = {};
  /// Computed beginnings are shared only with requests of the same salt (vLLM's `cache_salt`).
  std::string cache_salt = {};
  /// So many sequences are generated of each prompt, at least `choices`; the `choices` of the highest mean
  /// log-probability per token are answered when all have ended, the best first. Absent: every choice is
  /// answered as it comes.
  std::optional<std::uint32_t> best_of = {};
};

/// Sequences that a request generates of each prompt.
inline std::uint32_t sequences_of(const generation_request& request) noexcept {
  return request.best_of.value_or(request.choices);
}

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
  std::string tier;         ///< `device`, `host`, `disk`; where it was found
  std::string source = {};  ///< `hub` or `local`: where its files come from, in LoRAX's words
};

/// What answers a request: decided before the first byte and named in the reply's headers.
struct served_by {
  std::string model_id;                  ///< public id of the base
  std::vector<served_adapter> adapters;  ///< in the order asked for; empty: base
  bool fallback = false;  ///< the base answers for a name that no adapter has, as the operator wants it
};

/// One of the likeliest tokens at a place.
struct token_alternative {
  token_id id = 0;
  std::string text;   ///< of this token alone: what is no whole character is U+FFFD
  std::string bytes;  ///< what it stands for
  float logprob = 0;
  bool special = false;

  bool operator==(const token_alternative&) const = default;
};

/// One token with its text. `text` is whole UTF-8 and may be empty while a character is incomplete; the texts
/// of a choice concatenate to its generated text.
struct generated_token {
  token_id id = 0;
  std::string text;
  float logprob = 0;  ///< natural logarithm over the full vocabulary, before temperature and penalties
  bool special = false;
  /// What a special or stop token that the generated text leaves out stands for (`</s>`); else empty. TGI's
  /// token events show it where `text` is empty; it is part of no generated text and of no OpenAI delta.
  std::string hidden_text;
  std::string bytes = {};  ///< what the token stands for, whole or not; OpenAI's `bytes`
  /// 1: the likeliest token at its place, equal ones by id. 0: not computed. Of a prompt token also: it has
  /// no `logprob`, because none was asked for or it is the first.
  std::uint32_t rank = 0;
  /// The likeliest tokens at its place by the raw logits, likeliest first, equal ones by id; as many as were
  /// asked for.
  std::vector<token_alternative> top = {};
};

/// One step's progress of one choice.
struct generation_chunk {
  std::uint32_t choice = 0;
  std::vector<generated_token> tokens;
  bool last = false;  ///< the choice ends with these tokens: its `finished` follows at once
};

/// What ended a choice besides its length and the model's end tokens: nothing, a stop token, a stop string.
using stop_cause = std::variant<std::monostate, token_id, std::string>;

/// The end of one choice.
struct generation_finish {
  std::uint32_t choice = 0;
  finish_reason reason = finish_reason::length;
  std::string text;  ///< whole generated text, stop string removed unless asked for
  std::uint32_t generated_tokens = 0;
  std::uint64_t seed = 0;
  stop_cause cause = {};  ///< vLLM's `stop_reason`
  bool sampled = false;   ///< chosen at random, so that the seed mattered; an adapter's defaults count
};

/// Where the time of a request went.
struct generation_timings {
  std::chrono::nanoseconds validation{0};   ///< name resolution and tokenising
  std::chrono::nanoseconds queue{0};        ///< submitted until admitted
  std::chrono::nanoseconds inference{0};    ///< admitted until the last token
  std::chrono::nanoseconds first_token{0};  ///< from the start of the request; 0: there was none
};

/// Facts known once the prompts are tokenised and the adapters resolved.
struct generation_started {
  served_by served;
  std::uint32_t prompt_tokens = 0;  ///< of all prompts
  /// Of each prompt its tokens, only with `prompt_tokens_wanted` or `prompt_logprobs`; the texts concatenate
  /// to the prompt's. With `prompt_logprobs` every token but the first has `logprob`, `rank` and `top`.
  std::vector<std::vector<generated_token>> prompts;
};

}  // namespace lorica
