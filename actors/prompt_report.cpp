#include "actors/prompt_report.hpp"

#include "actors/token_alternatives.hpp"

namespace lorica {

void prompt_report::add(std::span<const sequence_token> scored) {
  for (auto& s : scored) {
    if (left_ == 0) return;
    auto& token = tokens_[tokens_.size() - left_--];
    token.logprob = s.logprob;
    token.rank = s.rank;
    token.top = token_alternatives(s.top, *vocabulary_);
  }
}

}  // namespace lorica
