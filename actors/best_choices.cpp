#include "actors/best_choices.hpp"

#include <algorithm>
#include <utility>

namespace lorica {
namespace {

double mean_logprob(const best_choices::choice& c) {
  double sum = 0;
  for (auto& token : c.tokens)
    sum += static_cast<double>(token.logprob);
  return sum / static_cast<double>(std::max<std::size_t>(c.tokens.size(), 1));
}

}  // namespace

void best_choices::add(std::uint32_t sequence, generated_token token) {
  all_.at(sequence).tokens.push_back(std::move(token));
}

void best_choices::finish(generation_finish end) {
  auto& choice = all_.at(end.choice);
  choice.end = std::move(end);
}

std::vector<best_choices::choice> best_choices::take() {
  std::ranges::stable_sort(all_, std::greater<>(), mean_logprob);
  all_.resize(std::min<std::size_t>(answered_, all_.size()));
  for (std::uint32_t i = 0; i < all_.size(); ++i)
    all_[i].end.choice = i;
  return std::exchange(all_, {});
}

}  // namespace lorica
