#include "engine/step_cost.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lorica {
namespace {

constexpr double excess_from = 16;  // rows; where bfloat16 to int4 weights cross over on a CPU
constexpr double keep = 0.995;      // of the weight of what was seen, per step: a memory of 200 steps
constexpr double anchor_weight = 1e-3;
constexpr double outlier = 3;         // times the usual error
constexpr double least_error = 0.01;  // no step is that regular
constexpr double error_pace = 0.02;
constexpr double longest = 3600;  // seconds
constexpr int sweeps = 6;

// A first guess, right within a factor of some tens for CPUs; the first steps correct it.
constexpr double bandwidth = 20e9;  // bytes per second
constexpr double smallest_model = 20e6;

double inner(const step_cost::vector& a, const step_cost::vector& b) noexcept {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace

step_load& step_load::operator+=(const step_load& other) noexcept {
  sequences += other.sequences;
  rows += other.rows;
  attended += other.attended;
  adapter_bytes += other.adapter_bytes;
  adapter_rows += other.adapter_rows;
  head_rows += other.head_rows;
  return *this;
}

step_load step_load::of_rows(std::uint32_t count, std::uint32_t context, bool adapted,
                             std::uint32_t head) noexcept {
  auto n = static_cast<double>(count);
  return {1, n, n * context + n * (n + 1) / 2, 0, adapted ? n : 0, static_cast<double>(head)};
}

step_cost::step_cost(const executor_sizes& sizes) {
  auto weights = std::max(static_cast<double>(sizes.weight_bytes), smallest_model) / bandwidth;
  auto kv = std::max(static_cast<double>(sizes.kv_bytes_per_token), 1.0) / bandwidth;
  price_ = {weights, weights / 64, weights / excess_from, kv, 1 / bandwidth, weights / 256, weights / 64};
  for (std::size_t i = 0; i < prices; ++i) {
    anchor_[i] = anchor_weight / (price_[i] * price_[i]);
    a_[i][i] = anchor_[i];
    b_[i] = anchor_[i] * price_[i];
  }
}

step_cost::vector step_cost::counts(const step_load& load) noexcept {
  return {1,
          load.rows,
          std::max(0.0, load.rows - excess_from),
          load.attended,
          load.adapter_bytes,
          load.adapter_rows,
          load.head_rows};
}

double step_cost::predict(const step_load& load) const noexcept {
  return inner(price_, counts(load));
}

double step_cost::added(const step_load& share) const noexcept {
  auto c = counts(share);
  c[0] = 0;
  c[2] = share.rows;
  return inner(price_, c);
}

double step_cost::part(const step_load& share, const step_load& step) const noexcept {
  auto c = counts(share);
  c[0] = share.sequences / step.sequences;
  c[2] = std::max(0.0, step.rows - excess_from) * share.rows / step.rows;
  return inner(price_, c);
}

void step_cost::learn(const step_load& load, double seconds) noexcept {
  if (!(seconds > 0) || seconds > longest) return;
  auto predicted = predict(load);
  // Relative errors, so that long steps do not drown short ones; over the larger, which tames long outliers.
  auto scale = std::max(predicted, seconds);
  auto off = std::abs(seconds - predicted) / scale;
  auto weight = std::min(1.0, outlier * error_ / std::max(off, least_error));
  // A lasting change raises the usual error and is believed then.
  error_ += error_pace * (std::min(off, 2 * outlier * error_) - error_);
  error_ = std::max(error_, least_error);
  ++steps_;
  auto x = counts(load);
  for (auto& count : x)
    count /= scale;
  for (std::size_t i = 0; i < prices; ++i) {
    for (std::size_t j = 0; j < prices; ++j)
      a_[i][j] = keep * a_[i][j] + weight * x[i] * x[j];
    a_[i][i] += (1 - keep) * anchor_[i];
    b_[i] = keep * b_[i] + (1 - keep) * anchor_[i] * price_[i] + weight * x[i] * seconds / scale;
  }
  solve();
}

/// Descends along one price after the other and stops each at 0: the form is convex, and the last solution is
/// near, so a few rounds are enough; what they leave the next step's take up.
void step_cost::solve() noexcept {
  for (int sweep = 0; sweep < sweeps; ++sweep)
    for (std::size_t i = 0; i < prices; ++i)
      price_[i] = std::max(0.0, price_[i] + (b_[i] - inner(a_[i], price_)) / a_[i][i]);
}

}  // namespace lorica
