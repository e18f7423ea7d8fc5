#pragma once

#include <cstdint>

#include "core/generation.hpp"
#include "core/ids.hpp"
#include "engine/top_logprobs.hpp"

namespace lorica::gpu {

/// What is to be done with the logits of a reading.
enum class reading_kind : std::uint32_t {
  idle,       ///< nothing: a row that only fills a recorded step
  choose,     ///< a token is chosen
  score,      ///< the prompt token `scored` is told of
  read_back,  ///< the host chooses, because the tables have no room for its rules
};

/// How the token of one reading is chosen, on the device: `sampling_context` as plain numbers. The steps and
/// their order are those of `engine/sampler.hpp`. What varies in length lies in the words of the step, which
/// all its readings share.
struct sampling_row {
  reading_kind kind = reading_kind::idle;
  std::uint32_t slot = 0;           ///< whose history counts
  std::uint32_t history = 0;        ///< tokens of the slot, the row's own included
  std::uint32_t prompt_tokens = 0;  ///< how many of them are prompt
  token_id scored = no_token;       ///< of `score`
  std::uint32_t top = 0;            ///< alternatives to tell
  double draw = 0;                  ///< in [0, 1): `uniform_draw` of its seed, choice and position
  std::uint32_t sample = 0;         ///< 0: greedy
  float temperature = 1;
  std::uint32_t top_k = 0;
  float top_p = 1;
  float typical_p = 1;
  float min_p = 0;
  float repetition_penalty = 1;
  float frequency_penalty = 0;
  float presence_penalty = 0;
  std::uint32_t adjusted = 0;       ///< 1: rules or penalties change the logits
  std::uint32_t allowed = no_mask;  ///< words of a mask of the ids that may be chosen; `no_mask`: all
  std::uint32_t marked = no_mask;   ///< words of a mask of the ids that a watermark raises by `delta`
  float delta = 0;
  std::uint32_t first_banned = 0;  ///< words, each an id
  std::uint32_t banned = 0;
  std::uint32_t first_bias = 0;  ///< words, an id and a float32 in turns; each id of a row once
  std::uint32_t biases = 0;

  static constexpr std::uint32_t no_mask = ~std::uint32_t{0};
};

/// Words of 32 ids in a mask: bit id % 32 of word id / 32.
constexpr std::uint32_t mask_words(std::uint32_t vocab) noexcept {
  return (vocab + 31) / 32;
}

/// What the device tells of one reading.
struct sampling_result {
  token_id token = no_token;
  float logprob = 0;       ///< as in `token_choice`
  std::uint32_t rank = 0;  ///< 0: not asked for
  std::uint32_t tops = 0;  ///< how many of `top` there are
  token_logprob top[most_top_logprobs];
};

}  // namespace lorica::gpu
