#pragma once

#include <cstdint>
#include <span>

namespace lorica {

/// out[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i] (RMSNorm, Zhang & Sennrich 2019); sum in float64.
void rms_norm(std::span<const float> x, std::span<const float> weight, float epsilon, std::span<float> out);

/// Rotates each head of x [heads][head_dim] in place: (x_k, x_k+d/2) by the angle of frequency k (RoFormer,
/// half-split).
void rotate_heads(std::span<float> x, std::span<const float> cosines, std::span<const float> sines);

/// out[i] = silu(gate[i]) * up[i] (Shazeer 2020); silu(z) = z / (1 + exp(-z)).
void swiglu(std::span<const float> gate, std::span<const float> up, std::span<float> out);

/// x[i] += y[i]; nothing when y is empty.
void add_to(std::span<float> x, std::span<const float> y);

}  // namespace lorica
