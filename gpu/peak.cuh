#pragma once

#include "core/ids.hpp"
#include "gpu/lanes.cuh"

namespace lorica::gpu {

inline constexpr float minus_infinity = -__builtin_huge_valf();

/// The largest of the logits that were offered, and the lowest id that has it. What is no number is passed
/// over.
struct peak_place {
  static constexpr std::uint32_t nowhere = ~std::uint32_t{0};

  float peak = minus_infinity;
  std::uint32_t at = nowhere;

  __device__ void offer(float x, std::uint32_t id) {
    if (!(x > peak || (x == peak && id < at))) return;
    peak = x;
    at = id;
  }

  /// Of all lanes of the warp, in each.
  __device__ peak_place of_warp() const {
    auto out = *this;
    for (unsigned step = warp_lanes / 2; step != 0; step /= 2) {
      const float x = __shfl_xor_sync(all_lanes, out.peak, static_cast<int>(step));
      const std::uint32_t id = __shfl_xor_sync(all_lanes, out.at, static_cast<int>(step));
      out.offer(x, id);
    }
    return out;
  }

  /// `no_token` where nothing was offered that is a number.
  __device__ token_id token() const { return at == nowhere ? no_token : static_cast<token_id>(at); }
  /// `no_token` where nothing is above -inf.
  __device__ token_id token_above() const { return peak == minus_infinity ? no_token : token(); }
};

}  // namespace lorica::gpu
