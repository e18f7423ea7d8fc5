#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/generation.hpp"
#include "core/ids.hpp"
#include "engine/top_logprobs.hpp"
#include "engine/typical_filter.hpp"

namespace lorica {

/// What is known of a row of logits before a token is chosen.
struct logits_summary {
  double total = 0;               ///< their log_sum_exp; not finite where they are not
  token_id likeliest = no_token;  ///< the first of the largest; `no_token`: not looked for
};

/// What the choice of one token depends on besides its logits.
struct sampling_context {
  std::span<const token_id> history;  ///< prompt and generated tokens, all in [0, vocab)
  std::uint32_t prompt_tokens = 0;    ///< how many of them are prompt
  sampling_params params;
  std::uint32_t choice = 0;
  /// Only lower ids are chosen: rows of the head above the tokenizer's ids mean nothing. 0: all.
  std::uint32_t token_ids = 0;
  std::uint32_t top = 0;  ///< alternatives to tell
};

/// A token and the natural logarithm of its probability, from the raw logits over the full vocabulary.
struct token_choice {
  token_id token = 0;
  float logprob = 0;
  std::uint32_t rank = 0;               ///< by the raw logits, 1 the likeliest; 0: not asked for
  std::vector<token_logprob> top = {};  ///< the likeliest by the raw logits, as many as were asked for

  bool operator==(const token_choice&) const = default;
};

/// Chooses tokens: the reference arithmetic of sampling, a pure function of its arguments. Order of steps,
/// which is vLLM's: `token_filter` (allowed ids, bad words, min_tokens, biases), watermark, repetition,
/// frequency and presence penalty, temperature, min_p, top_k, top_p, typical_p, draw. Greedy takes the
/// largest logit after the penalties. Equal logits are ordered by id, the lower first; min_p keeps the tokens
/// of at least so much of the largest probability; top_k keeps exactly k; top_p keeps the likeliest tokens
/// until their probabilities reach p of what is left, and always the likeliest one, so a p of 0 is greedy;
/// typical_p works on what these left, see `typical_filter`. The draw is `uniform_draw(seed, choice,
/// history.size())`: by position, so a recomputed sequence draws the same again. Holds scratch memory, so one
/// per thread.
class sampler {
 public:
  /// `logits` [vocab >= 1], finite or -inf (never chosen). Logits that hold NaN or +inf give a NaN as
  /// logprob, which ends the sequence; so does `no_token`, when nothing is left.
  token_choice choose(std::span<const float> logits, const sampling_context& context);

  /// The same where the row was summarised already.
  token_choice choose(std::span<const float> logits, const logits_summary& known,
                      const sampling_context& context);

 private:
  struct candidate {
    float logit;
    token_id token;
  };

  std::span<const float> adjusted(std::span<const float> logits, const sampling_context& context);
  void penalise(std::span<const token_id> history, std::span<const token_id> generated,
                const sampling_params& p);
  void weigh(std::span<const float> logits, float peak, const sampling_params& p);
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
  std::vector<std::uint32_t> permutation_;
  typical_filter typical_;
};

/// How likely `token` is by the raw logits, with its rank and `top` alternatives. Ids from `token_ids` on are
/// no alternatives, and `token` is none of them; 0: all. A NaN as logprob as in `sampler::choose`.
token_choice score(std::span<const float> logits, token_id token, std::uint32_t top, std::uint32_t token_ids);

/// The same with the row's log_sum_exp.
token_choice score(std::span<const float> logits, double total, token_id token, std::uint32_t top,
                   std::uint32_t token_ids);

}  // namespace lorica
