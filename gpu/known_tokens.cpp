#include "gpu/known_tokens.hpp"

#include <algorithm>

namespace lorica::gpu {
namespace {

constexpr std::uint64_t words_per_token = 3;  // the token, its slot and its position

}  // namespace

void known_tokens::lay_out(step_layout& to, std::uint32_t positions) {
  to.add_words(words_per_token * positions);
}

void known_tokens::begin(const batch& step) noexcept {
  step_ = &step;
  behind_ = buffer_->used();
  sequence_ = 0;
  written_ = count_ = 0;
  skip();
}

/// To the next sequence that still has tokens.
void known_tokens::skip() noexcept {
  while (!done() && written_ == step_->sequences[sequence_].known) {
    ++sequence_;
    written_ = 0;
  }
}

void known_tokens::fill() noexcept {
  buffer_->keep(behind_);
  std::uint64_t left = 0;
  for (auto i = sequence_; i < step_->sequences.size(); ++i)
    left += step_->sequences[i].known;
  count_ = static_cast<std::uint32_t>(std::min(left - written_, buffer_->room() / words_per_token));
  first_ = buffer_->take(words_per_token * count_).value_or(0);
  auto *tokens = buffer_->host_words(first_), *slots = tokens + count_, *positions = slots + count_;
  for (std::uint32_t i = 0; i < count_; ++i, skip()) {
    auto& s = step_->sequences[sequence_];
    tokens[i] = static_cast<std::uint32_t>(step_->known[s.first_known + written_]);
    slots[i] = s.slot;
    positions[i] = s.context - s.known + written_;
    ++written_;
  }
}

result<void> known_tokens::remember(const token_history& history, const stream& s) const {
  if (count_ == 0) return {};
  const auto* words = buffer_->words() + first_;
  token_history_args a;
  a.tokens = reinterpret_cast<const token_id*>(words);
  a.slots = words + count_;
  a.positions = words + 2 * std::size_t{count_};
  a.count = count_;
  a.history = history.device();
  a.stride = history.stride();
  return gpu::remember(a, s);
}

}  // namespace lorica::gpu
