#include "engine/top_logprobs.hpp"

#include <algorithm>
#include <limits>

namespace lorica {

std::vector<token_logprob> top_logprobs(std::span<const float> logits, std::size_t count, double total) {
  std::vector<token_logprob> best;  // with logits at first
  count = std::min(count, logits.size());
  if (count == 0) return best;
  best.reserve(count + 1);
  auto least = -std::numeric_limits<float>::infinity();  // what a token must exceed to be one of them
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > least)) continue;
    // Behind its equals, whose ids are lower.
    auto place = std::ranges::upper_bound(best, logits[i], std::greater<>(), &token_logprob::logprob);
    best.insert(place, {static_cast<token_id>(i), logits[i]});
    if (best.size() > count) best.pop_back();
    if (best.size() == count) least = best.back().logprob;
  }
  for (auto& b : best)
    b.logprob = static_cast<float>(static_cast<double>(b.logprob) - total);
  return best;
}

std::uint32_t rank_of(std::span<const float> logits, token_id token) noexcept {
  auto own = static_cast<std::size_t>(token);
  auto logit = logits[own];
  std::uint32_t before = 0;
  for (std::size_t i = 0; i < own; ++i)
    before += logits[i] >= logit ? 1 : 0;
  for (std::size_t i = own + 1; i < logits.size(); ++i)
    before += logits[i] > logit ? 1 : 0;
  return before + 1;
}

}  // namespace lorica
