#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/generation.hpp"
#include "core/ids.hpp"
#include "engine/typical_filter.hpp"

namespace lorica {

/// What the choice of one token depends on besides its logits.
struct sampling_context {
  std::span<const token_id> history;  ///< prompt and generated tokens, all in [0, vocab)
  std::uint32_t prompt_tokens = 0;    ///< how many of them are prompt
  sampling_params params;
  std::uint32_t choice = 0;
  /// Only lower ids are chosen: rows of the head above the tokenizer's ids mean nothing. 0: all.
  std::uint32_t token_ids = 0;
};

/// A token and the natural logarithm of its probability, from the raw logits over the full vocabulary.
struct token_choice {
  token_id token = 0;
  float logprob = 0;
};

/// Chooses tokens: the reference arithmetic of sampling, a pure function of its arguments. Order of steps:
/// repetition penalty, frequency penalty, temperature, top_k, top_p, typical_p, draw. Equal logits are
/// ordered by id, the lower first; top_k keeps exactly k; top_p keeps the likeliest tokens until their
/// probabilities reach p; typical_p works on what these left, see `typical_filter`. The draw is
/// `uniform_draw(seed, choice, history.size())`: by position, so a recomputed sequence draws the same again.
/// Holds scratch memory, so one per thread.
class sampler {
 public:
  /// `logits` [vocab >= 1], finite or -inf (not chosen while there is another). Logits that hold NaN or +inf
  /// give a NaN as logprob, which ends the sequence.
  token_choice choose(std::span<const float> logits, const sampling_context& context);

 private:
  struct candidate {
    float logit;
    token_id token;
  };

  std::span<const float> penalised(std::span<const float> logits, const sampling_context& context);
  token_id draw_from_all(std::span<const float> logits, const sampling_params& p, double u);
  token_id draw_from_likeliest(std::span<const float> logits, const sampling_params& p, double u);
  token_id draw_from_typical(std::span<const float> logits, const sampling_params& p, double u);
  void narrow(std::span<const float> logits, const sampling_params& p);
  void rank_first(std::span<const float> logits, std::size_t count);
  void rank_nucleus(std::span<const float> logits, double mass);

  std::vector<float> scaled_;
  std::vector<float> weights_;
  std::vector<float> kept_weights_;    // what typical_p left
  std::vector<std::uint32_t> counts_;  // [vocab], zero between calls
  std::vector<float> kept_;            // logits that may be drawn, likeliest first
  std::vector<candidate> ranked_;      // the same with their tokens
  typical_filter typical_;
};

}  // namespace lorica
