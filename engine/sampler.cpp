#include "engine/sampler.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "engine/log_sum_exp.hpp"
#include "engine/philox.hpp"
#include "engine/token_filter.hpp"
#include "engine/watermark.hpp"

namespace lorica {
namespace {

constexpr float largest = std::numeric_limits<float>::max();
constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

token_id likeliest(std::span<const float> logits) {
  auto found = std::ranges::find(logits, peak_of(logits));
  return found == logits.end() ? 0 : static_cast<token_id>(found - logits.begin());
}

std::span<const float> known_ids(std::span<const float> logits, std::uint32_t token_ids) {
  return token_ids == 0 ? logits : logits.first(std::min<std::size_t>(token_ids, logits.size()));
}

float logprob_of(std::span<const float> logits, token_id token, double total) {
  return static_cast<float>(static_cast<double>(logits[static_cast<std::size_t>(token)]) - total);
}

/// A token with its rank and alternatives.
token_choice told(std::span<const float> logits, token_id token, double total, std::uint32_t top,
                  std::uint32_t token_ids) {
  auto known = known_ids(logits, token_ids);
  auto ranked = static_cast<std::size_t>(token) < known.size() ? known : logits;
  return {token, logprob_of(logits, token, total), rank_of(ranked, token), top_logprobs(known, top, total)};
}

double sum_of(std::span<const float> weights) {
  double sum = 0;
  for (auto w : weights)
    sum += static_cast<double>(w);
  return sum;
}

/// The first index whose running sum of weights exceeds `goal`; the last positive weight when rounding hides
/// it.
std::size_t index_at(std::span<const float> weights, double goal) {
  double sum = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0.0f) continue;
    sum += static_cast<double>(weights[i]);
    last = i;
    if (sum > goal) return i;
  }
  return last;
}

/// How many weights from the front reach `goal`; all when they do not.
std::size_t size_of_mass(std::span<const float> weights, double goal) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += static_cast<double>(weights[i]);
    if (sum >= goal) return i + 1;
  }
  return weights.size();
}

/// A power of two so that the weights at or above it reach `goal`, which may be 0, and are at least one: sums
/// by binary exponent, the largest first.
float floor_of_mass(std::span<const float> weights, double goal) {
  std::array<double, 256> sums{};
  for (auto w : weights)
    sums[std::bit_cast<std::uint32_t>(w) >> 23] += static_cast<double>(w);
  double sum = 0;
  std::uint32_t exponent = 255;
  while (exponent > 0 && (sum == 0 || sum < goal))
    sum += sums[--exponent];
  return std::bit_cast<float>(exponent << 23);
}

template <class Candidate>
bool before(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

}  // namespace

token_choice sampler::choose(std::span<const float> logits, const sampling_context& context) {
  return choose(logits, {log_sum_exp(logits)}, context);
}

token_choice sampler::choose(std::span<const float> logits, const logits_summary& known,
                             const sampling_context& context) {
  const auto total = known.total;
  // Comparisons with NaN would break the order that sorting needs.
  if (!std::isfinite(total)) return {likeliest(logits), not_a_number};
  auto scaled = known_ids(adjusted(logits, context), context.token_ids);
  auto& p = context.params;
  // Where nothing was changed, what is known of the logits still holds.
  auto token =
      scaled.data() == logits.data() && known.likeliest != no_token ? known.likeliest : likeliest(scaled);
  if (scaled[static_cast<std::size_t>(token)] == -infinity) return {no_token, not_a_number};
  if (p.sample) {
    auto u = uniform_draw(p.seed, context.choice, static_cast<std::uint32_t>(context.history.size()));
    auto all = p.top_p >= 1.0f && (p.top_k == 0 || p.top_k >= scaled.size());
    if (p.typical_p < 1.0f)
      token = draw_from_typical(scaled, p, u);
    else
      token = all ? draw_from_all(scaled, p, u) : draw_from_likeliest(scaled, p, u);
  }
  if (context.top != 0) return told(logits, token, total, context.top, context.token_ids);
  return {token, logprob_of(logits, token, total)};
}

token_choice score(std::span<const float> logits, token_id token, std::uint32_t top,
                   std::uint32_t token_ids) {
  return score(logits, log_sum_exp(logits), token, top, token_ids);
}

token_choice score(std::span<const float> logits, double total, token_id token, std::uint32_t top,
                   std::uint32_t token_ids) {
  if (!std::isfinite(total)) return {token, not_a_number};
  return told(logits, token, total, top, token_ids);
}

/// The logits after rules and penalties; the argument itself when neither is asked for.
std::span<const float> sampler::adjusted(std::span<const float> logits, const sampling_context& context) {
  auto& p = context.params;
  auto penalises = p.repetition_penalty != 1.0f || p.frequency_penalty != 0.0f || p.presence_penalty != 0.0f;
  if (!penalises && !p.rules) return logits;
  auto generated =
      context.history.subspan(std::min<std::size_t>(context.prompt_tokens, context.history.size()));
  scaled_.assign(logits.begin(), logits.end());
  if (p.rules) filter_tokens(scaled_, *p.rules, generated, p.min_tokens);
  if (p.rules && p.rules->mark && !context.history.empty())
    add_watermark(scaled_, *p.rules->mark, context.history.back(), permutation_);
  if (penalises) penalise(context.history, generated, p);
  return scaled_;
}

void sampler::penalise(std::span<const token_id> history, std::span<const token_id> generated,
                       const sampling_params& p) {
  counts_.resize(scaled_.size(), 0);
  for (auto token : history) {
    auto& logit = scaled_[static_cast<std::size_t>(token)];
    if (counts_[static_cast<std::size_t>(token)]++ != 0) continue;
    // An extreme penalty must not make infinities: their differences would be NaN.
    if (std::isfinite(logit))
      logit = std::clamp(logit > 0 ? logit / p.repetition_penalty : logit * p.repetition_penalty, -largest,
                         largest);
  }
  for (auto token : history)
    counts_[static_cast<std::size_t>(token)] = 0;
  for (auto token : generated)
    ++counts_[static_cast<std::size_t>(token)];
  for (auto token : generated) {
    auto index = static_cast<std::size_t>(token);
    auto count = std::exchange(counts_[index], 0u);
    if (count == 0) continue;
    scaled_[index] -= p.frequency_penalty * static_cast<float>(count);
    scaled_[index] -= p.presence_penalty;
  }
}

/// `weights_` of the logits at the temperature, zero where min_p leaves a token out.
void sampler::weigh(std::span<const float> logits, float peak, const sampling_params& p) {
  weights_ = exp_weights(logits, peak, p.temperature, std::move(weights_));
  if (p.min_p <= 0.0f) return;
  // The weight of the likeliest is 1.
  for (auto& w : weights_)
    if (w < p.min_p) w = 0.0f;
}

token_id sampler::draw_from_all(std::span<const float> logits, const sampling_params& p, double u) {
  weigh(logits, peak_of(logits), p);
  return static_cast<token_id>(index_at(weights_, u * sum_of(weights_)));
}

token_id sampler::draw_from_likeliest(std::span<const float> logits, const sampling_params& p, double u) {
  narrow(logits, p);
  return ranked_[index_at(weights_, u * sum_of(weights_))].token;
}

token_id sampler::draw_from_typical(std::span<const float> logits, const sampling_params& p, double u) {
  auto peak = peak_of(logits);
  bool narrowed = p.top_p < 1.0f || p.top_k != 0;
  if (narrowed)
    narrow(logits, p);
  else
    weigh(logits, peak, p);
  auto kept = typical_.keep(narrowed ? kept_ : logits, weights_, peak, p.temperature, p.typical_p);
  kept_weights_.clear();
  for (auto i : kept)
    kept_weights_.push_back(weights_[i]);
  auto chosen = kept[index_at(kept_weights_, u * sum_of(kept_weights_))];
  return narrowed ? ranked_[chosen].token : static_cast<token_id>(chosen);
}

/// What min_p, top_k and top_p leave, likeliest first: `ranked_`, its logits in `kept_`, its weights in
/// `weights_`.
void sampler::narrow(std::span<const float> logits, const sampling_params& p) {
  auto peak = peak_of(logits);
  auto goal = std::numeric_limits<double>::infinity();
  if (p.top_k == 0) {
    weigh(logits, peak, p);
    goal = static_cast<double>(p.top_p) * sum_of(weights_);
    rank_nucleus(logits, goal);
  } else {
    rank_first(logits, std::min<std::size_t>(p.top_k, logits.size()));
  }
  kept_.clear();
  for (auto& c : ranked_)
    kept_.push_back(c.logit);
  weigh(kept_, peak, p);
  // What top_k left is a distribution of its own for top_p.
  if (p.top_k != 0 && p.top_p < 1.0f) goal = static_cast<double>(p.top_p) * sum_of(weights_);
  auto count = size_of_mass(weights_, goal);
  weights_.resize(count);
  kept_.resize(count);
  ranked_.resize(count);
}

/// The `count` likeliest tokens, sorted.
void sampler::rank_first(std::span<const float> logits, std::size_t count) {
  ranked_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i)
    ranked_.push_back({logits[i], static_cast<token_id>(i)});
  auto end = ranked_.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(ranked_.begin(), end, ranked_.end(), before<candidate>);
  ranked_.resize(count);
}

/// At least the likeliest tokens whose `weights_` reach `mass`, sorted: a nucleus seldom has more than some
/// hundred of 10^5 tokens, so the others are left out before sorting.
void sampler::rank_nucleus(std::span<const float> logits, double mass) {
  auto least = floor_of_mass(weights_, mass);
  ranked_.clear();
  for (std::size_t i = 0; i < logits.size(); ++i)
    if (weights_[i] >= least) ranked_.push_back({logits[i], static_cast<token_id>(i)});
  std::sort(ranked_.begin(), ranked_.end(), before<candidate>);
}

}  // namespace lorica
