#include "engine/typical_filter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace lorica {
namespace {

// Distances in steps of 1/64, those of 64 and more together: enough to leave most of a vocabulary unsorted.
constexpr std::size_t buckets = 4096;

std::size_t bucket_of(double distance) {
  constexpr double steps = 64;
  return std::min(buckets - 1, static_cast<std::size_t>(distance * steps));
}

}  // namespace

std::span<const std::uint32_t> typical_filter::keep(std::span<const float> logits,
                                                    std::span<const float> weights, float peak,
                                                    float temperature, float mass) {
  measure(logits, weights, peak, temperature);
  double total = 0;
  for (auto& c : candidates_)
    total += c.weight;
  auto goal = static_cast<double>(mass) * total;
  leave_out_far(goal);
  std::sort(candidates_.begin(), candidates_.end(), [](auto& a, auto& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.index < b.index);
  });
  kept_.clear();
  double sum = 0;
  for (auto& c : candidates_) {
    if (sum >= goal && c.distance != candidates_[kept_.size() - 1].distance) break;
    sum += c.weight;
    kept_.push_back(c.index);
  }
  return kept_;
}

/// With e = (peak - logit) / temperature the surprise of a token is e + ln(total), and the entropy is the
/// mean of the surprises: what both have in common cancels.
void typical_filter::measure(std::span<const float> logits, std::span<const float> weights, float peak,
                             float temperature) {
  candidates_.clear();
  double total = 0;
  double mean = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (weights[i] == 0.0f) continue;
    auto weight = static_cast<double>(weights[i]);
    auto e = (static_cast<double>(peak) - static_cast<double>(logits[i])) / static_cast<double>(temperature);
    candidates_.push_back({e, weight, static_cast<std::uint32_t>(i)});
    total += weight;
    mean += weight * e;
  }
  mean /= total;
  for (auto& c : candidates_)
    c.distance = std::abs(c.distance - mean);
}

/// Drops what lies beyond the bucket in which the goal is reached, so that sorting costs little.
void typical_filter::leave_out_far(double goal) {
  std::array<double, buckets> sums{};
  for (auto& c : candidates_)
    sums[bucket_of(c.distance)] += c.weight;
  // Sums in another order differ in their last bits: what is kept reaches the goal in any.
  const double enough = goal * (1 + 1e-9);
  double sum = 0;
  std::size_t last = 0;
  while (last + 1 < buckets && (sum += sums[last]) < enough)
    ++last;
  std::erase_if(candidates_, [&](auto& c) { return bucket_of(c.distance) > last; });
}

}  // namespace lorica
