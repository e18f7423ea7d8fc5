#pragma once

// Body of summary.hpp for one set of instructions; included after format_kernel.hpp.

namespace lorica {
namespace {

void summary(const summary_args& a) {
  constexpr float lowest = -3.402823466e38f;
  const std::uint32_t whole = a.count / 16 * 16;
  const std::uint32_t left = a.count - whole;
  vec peaks = splat(lowest);
  for (std::uint32_t k = 0; k < whole; k += 16)
    peaks = larger(peaks, load(a.x + k));
  if (left != 0) peaks = larger(peaks, first_lanes(load(a.x + whole), left, lowest));
  const float highest = peak(peaks);
  vec sums = zero();
  for (std::uint32_t k = 0; k < whole; k += 16)
    sums = sums + exponential(load(a.x + k) - splat(highest));
  if (left != 0) sums = sums + first_lanes(exponential(load(a.x + whole) - splat(highest)), left, 0.0f);
  *a.piece = {highest, sum(sums)};
}

}  // namespace
}  // namespace lorica
