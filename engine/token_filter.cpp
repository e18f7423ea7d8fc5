#include "engine/token_filter.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace lorica {
namespace {

constexpr auto masked = -std::numeric_limits<float>::infinity();

/// The logit of `token`, or null where there is none.
float* logit_of(std::span<float> logits, token_id token) {
  return token >= 0 && std::cmp_less(token, logits.size()) ? &logits[static_cast<std::size_t>(token)]
                                                           : nullptr;
}

void mask(std::span<float> logits, token_id token) {
  if (auto logit = logit_of(logits, token)) *logit = masked;
}

/// Masks what lies between the allowed ids, which ascend.
void keep_only(std::span<float> logits, std::span<const token_id> allowed) {
  std::size_t next = 0;
  for (auto token : allowed) {
    if (!logit_of(logits, token)) continue;
    auto index = static_cast<std::size_t>(token);
    for (; next < index; ++next)
      logits[next] = masked;
    next = index + 1;
  }
  for (; next < logits.size(); ++next)
    logits[next] = masked;
}

bool ends_with(std::span<const token_id> text, std::span<const token_id> end) {
  return end.size() <= text.size() && std::ranges::equal(text.last(end.size()), end);
}

}  // namespace

void filter_tokens(std::span<float> logits, const token_rules& rules, std::span<const token_id> generated,
                   std::uint32_t min_tokens) {
  if (rules.allowed) keep_only(logits, *rules.allowed);
  for (auto& word : rules.bad_words)
    if (!word.empty() && ends_with(generated, std::span(word).first(word.size() - 1)))
      mask(logits, word.back());
  if (generated.size() < min_tokens)
    for (auto token : rules.late)
      mask(logits, token);
  for (auto& b : rules.biases)
    if (auto logit = logit_of(logits, b.token)) *logit += b.bias;
}

}  // namespace lorica
