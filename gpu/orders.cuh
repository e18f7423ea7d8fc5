#pragma once

// The orders in which tokens are selected, see selection.cuh.

#include "gpu/exponential.cuh"
#include "gpu/selection.cuh"

namespace lorica::gpu {

/// A bin of `distance` >= 0 in steps of 1 / `steps`; those of all that is far are one.
template <class Number>
__device__ inline std::uint32_t bin_of(Number distance, Number steps) {
  const Number at = distance * steps;
  return at < Number{selection_bins - 1} ? static_cast<std::uint32_t>(at) : selection_bins - 1;
}

/// The likeliest first, equal ones by id; shares are weights at a temperature, and tokens below min_p or
/// 2^-44 of the likeliest have none. A bin is 1/64 of the exponent.
struct by_logit {
  static constexpr bool by_piece = false;
  const logit_piece* pieces;
  float peak, temperature, min_p;

  __device__ float exponent(float x) const { return __fadd_rn(x, -peak) / temperature; }
  __device__ float weight(float x) const {
    const float w = exp_of_negative(exponent(x));
    return w < min_p ? 0.0f : w;
  }
  __device__ mass share(float x, std::uint32_t) const { return mass_of(weight(x)); }
  __device__ bool takes(float x, std::uint32_t id) const { return share(x, id) != 0; }
  __device__ std::uint32_t bin(float x, std::uint32_t) const { return bin_of(-exponent(x), 64.0f); }
  __device__ order_key key(float x, std::uint32_t id) const { return {0, logit_key(x, id)}; }
  __device__ bool skips(std::uint32_t piece, std::uint32_t last_bin) const {
    return bin(pieces[piece].chosen_peak, 0) > last_bin;
  }
};

/// By id, with the same shares.
struct by_id {
  static constexpr bool by_piece = true;
  by_logit weights;

  __device__ mass share(float x, std::uint32_t id) const { return weights.share(x, id); }
  __device__ bool takes(float x, std::uint32_t id) const { return weights.takes(x, id); }
  __device__ std::uint32_t bin(float, std::uint32_t id) const { return id / summary_logits; }
  __device__ order_key key(float, std::uint32_t id) const { return {0, id}; }
  __device__ bool skips(std::uint32_t piece, std::uint32_t last_bin) const { return piece > last_bin; }
};

/// Of the tokens up to `last` in the order `by_logit`, those first whose surprise is nearest to the mean;
/// equally near ones by their places in that order, or by id.
struct by_surprise {
  static constexpr bool by_piece = false;
  by_logit weights;
  unsigned long long last;
  bool by_place;
  double mean;

  __device__ double surprise(float x) const {
    return (static_cast<double>(weights.peak) - static_cast<double>(x)) /
           static_cast<double>(weights.temperature);
  }
  __device__ double distance(float x) const { return fabs(surprise(x) - mean); }
  __device__ mass share(float x, std::uint32_t id) const { return weights.share(x, id); }
  __device__ bool takes(float x, std::uint32_t id) const {
    return logit_key(x, id) <= last && weights.takes(x, id);
  }
  __device__ std::uint32_t bin(float x, std::uint32_t) const { return bin_of(distance(x), 32.0); }
  __device__ order_key key(float x, std::uint32_t id) const {
    return {bits_of(distance(x)), by_place ? logit_key(x, id) : id};
  }
  __device__ bool skips(std::uint32_t, std::uint32_t) const { return false; }

  /// Ascending as the distances are, which are not negative.
  static __device__ unsigned long long bits_of(double x) {
    return static_cast<unsigned long long>(__double_as_longlong(x));
  }
};

/// The likeliest by the raw logits first, equal ones by id; each counts one. -inf is none.
struct by_raw_logit {
  static constexpr bool by_piece = false;
  const logit_piece* pieces;
  float peak;

  __device__ mass share(float, std::uint32_t) const { return 1; }
  __device__ bool takes(float x, std::uint32_t) const { return x > minus_infinity; }
  __device__ std::uint32_t bin(float x, std::uint32_t) const { return bin_of(peak - x, 64.0f); }
  __device__ order_key key(float x, std::uint32_t id) const { return {0, logit_key(x, id)}; }
  __device__ bool skips(std::uint32_t piece, std::uint32_t last_bin) const {
    return bin(pieces[piece].peak, 0) > last_bin;
  }
};

}  // namespace lorica::gpu
