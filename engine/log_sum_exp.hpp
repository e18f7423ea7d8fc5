#pragma once

#include <span>
#include <vector>

namespace lorica {

/// The largest value; -inf for none. NaNs are passed over.
float peak_of(std::span<const float> logits) noexcept;

/// ln(sum(exp(logits))): exponentials in float (below 2 ulp), summed in double in an order that depends on
/// the size alone. NaN when a logit is NaN or +inf, -inf when all are -inf.
double log_sum_exp(std::span<const float> logits) noexcept;

/// exp((logits - peak) / temperature), 0 where that is below 1e-37. `peak` is at least every logit,
/// `temperature` is above 0; `memory` is a vector to reuse.
std::vector<float> exp_weights(std::span<const float> logits, float peak, float temperature,
                               std::vector<float> memory = {});

}  // namespace lorica
