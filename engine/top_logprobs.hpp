#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// A token and the natural logarithm of its probability.
struct token_logprob {
  token_id token = 0;
  float logprob = 0;

  bool operator==(const token_logprob&) const = default;
};

/// The `count` likeliest tokens of a row, likeliest first, equal ones by id: exactly so many unless the row
/// has fewer above -inf. `logits` [ids] hold no NaN; `total` is the log_sum_exp of the whole row.
std::vector<token_logprob> top_logprobs(std::span<const float> logits, std::size_t count, double total);

/// The place of `token`, which is in the row, in that order: 1 for the likeliest.
std::uint32_t rank_of(std::span<const float> logits, token_id token) noexcept;

}  // namespace lorica
