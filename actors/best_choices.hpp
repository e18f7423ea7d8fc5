#pragma once

#include <cstdint>
#include <vector>

#include "core/generation.hpp"

namespace lorica {

/// The sequences of a request of which the best are answered: keeps what each generated until all have ended.
/// Holds at most their tokens. Owned by one session; no locks.
class best_choices {
 public:
  /// One sequence, or what is answered of it.
  struct choice {
    std::vector<generated_token> tokens;
    generation_finish end;
  };

  /// `answered` <= `sequences`.
  best_choices(std::uint32_t sequences, std::uint32_t answered) : all_(sequences), answered_(answered) {}

  void add(std::uint32_t sequence, generated_token token);
  void finish(generation_finish end);

  /// The best by the mean of their tokens' log-probabilities (OpenAI, TGI), the first one among equals,
  /// numbered anew from 0. Ends the life of what was kept.
  std::vector<choice> take();

 private:
  std::vector<choice> all_;
  std::uint32_t answered_;
};

}  // namespace lorica
