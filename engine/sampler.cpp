#include "engine/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <optional>

#include "engine/log_sum_exp.hpp"
#include "engine/philox.hpp"

namespace lorica {
namespace {

token_id likeliest(std::span<const float> logits) {
  auto found = std::ranges::find(logits, peak_of(logits));
  return found == logits.end() ? 0 : static_cast<token_id>(found - logits.begin());
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

/// How many weights from the front reach `goal`; nothing when all together do not.
std::optional<std::size_t> size_of_mass(std::span<const float> weights, double goal) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    sum += static_cast<double>(weights[i]);
    if (sum >= goal) return i + 1;
  }
  return std::nullopt;
}

}  // namespace

token_choice sampler::choose(std::span<const float> logits, const sampling_context& context) {
  auto total = log_sum_exp(logits);
  // Comparisons with NaN would break the order that sorting needs.
  if (!std::isfinite(total)) return {likeliest(logits), std::numeric_limits<float>::quiet_NaN()};
  auto scaled = penalised(logits, context);
  auto& p = context.params;
  auto token = likeliest(scaled);
  if (p.sample) {
    auto u = uniform_draw(p.seed, context.choice, static_cast<std::uint32_t>(context.history.size()));
    auto all = p.top_p >= 1.0f && (p.top_k == 0 || p.top_k >= scaled.size());
    token = all ? draw_from_all(scaled, p, u) : draw_from_likeliest(scaled, p, u);
  }
  auto logit = static_cast<double>(logits[static_cast<std::size_t>(token)]);
  return {token, static_cast<float>(logit - total)};
}

/// The logits after both penalties; the argument itself when neither is asked for.
std::span<const float> sampler::penalised(std::span<const float> logits, const sampling_context& context) {
  auto& p = context.params;
  if (p.repetition_penalty == 1.0f && p.frequency_penalty == 0.0f) return logits;
  scaled_.assign(logits.begin(), logits.end());
  counts_.resize(logits.size(), 0);
  for (auto token : context.history) {
    auto& logit = scaled_[static_cast<std::size_t>(token)];
    if (counts_[static_cast<std::size_t>(token)]++ != 0) continue;
    logit = logit > 0 ? logit / p.repetition_penalty : logit * p.repetition_penalty;
  }
  for (auto token : context.history)
    counts_[static_cast<std::size_t>(token)] = 0;
  auto generated =
      context.history.subspan(std::min<std::size_t>(context.prompt_tokens, context.history.size()));
  for (auto token : generated)
    ++counts_[static_cast<std::size_t>(token)];
  for (auto token : generated) {
    auto index = static_cast<std::size_t>(token);
    scaled_[index] -= p.frequency_penalty * static_cast<float>(counts_[index]);
    counts_[index] = 0;
  }
  return scaled_;
}

token_id sampler::draw_from_all(std::span<const float> logits, const sampling_params& p, double u) {
  auto weights = exp_weights(logits, peak_of(logits), p.temperature);
  return static_cast<token_id>(index_at(weights, u * sum_of(weights)));
}

token_id sampler::draw_from_likeliest(std::span<const float> logits, const sampling_params& p, double u) {
  auto all = logits.size();
  auto peak = peak_of(logits);
  auto mass = p.top_k == 0 ? sum_of(exp_weights(logits, peak, p.temperature)) : 0.0;
  // Without top_k, sorts only as far as needed: a nucleus seldom has more than a hundred of 10^5 tokens.
  auto count = std::min<std::size_t>(p.top_k == 0 ? 64 : p.top_k, all);
  while (true) {
    rank(logits, count);
    auto weights = exp_weights(ranked_, peak, p.temperature);
    auto whole = p.top_k == 0 ? mass : sum_of(weights);
    auto nucleus = size_of_mass(weights, static_cast<double>(p.top_p) * whole);
    if (nucleus || p.top_k != 0 || count == all) {
      auto kept = std::span(weights).first(nucleus.value_or(count));
      return order_[index_at(kept, u * sum_of(kept))];
    }
    count = std::min(count * 4, all);
  }
}

/// The `count` likeliest tokens into `order_`, their logits into `ranked_`.
void sampler::rank(std::span<const float> logits, std::size_t count) {
  order_.resize(logits.size());
  std::iota(order_.begin(), order_.end(), 0);
  auto before = [logits](token_id a, token_id b) {
    auto x = logits[static_cast<std::size_t>(a)];
    auto y = logits[static_cast<std::size_t>(b)];
    return x > y || (x == y && a < b);
  };
  std::partial_sort(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(count), order_.end(),
                    before);
  ranked_.resize(count);
  for (std::size_t i = 0; i < count; ++i)
    ranked_[i] = logits[static_cast<std::size_t>(order_[i])];
}

}  // namespace lorica
