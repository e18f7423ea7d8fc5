#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/generation.hpp"
#include "engine/planner.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// The prompt's tokens as they are reported, on the way to their log-probabilities, which come in the order
/// of the tokens, some with each step. Owned by one session; no locks.
class prompt_report {
 public:
  prompt_report() = default;

  /// The tokens of the prompt.
  prompt_report(std::vector<generated_token> tokens, std::shared_ptr<const tokenizer> vocabulary)
      : tokens_(std::move(tokens)), vocabulary_(std::move(vocabulary)) {}

  /// Says that the log-probabilities are waited for.
  void expect_scores() { left_ = tokens_.empty() ? 0 : tokens_.size() - 1; }

  /// The next ones.
  void add(std::span<const sequence_token> scored);

  /// Nothing is waited for.
  bool complete() const noexcept { return left_ == 0; }

  std::vector<generated_token> take() { return std::move(tokens_); }

 private:
  std::vector<generated_token> tokens_;
  std::shared_ptr<const tokenizer> vocabulary_;
  std::size_t left_ = 0;
};

}  // namespace lorica
