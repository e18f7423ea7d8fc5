#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lorica {

/// What a step, or one sequence's share of it, has to do: counts that the planner knows before it runs.
struct step_load {
  double sequences = 0;
  double rows = 0;
  double attended = 0;       ///< sum over rows of the tokens that each one attends to, its own included
  double adapter_bytes = 0;  ///< of distinct adapters, each once
  double adapter_rows = 0;   ///< rows with an adapter
  double head_rows = 0;      ///< rows whose logits are computed

  step_load& operator+=(const step_load& other) noexcept;

  /// Of `count` rows of one sequence behind `context` tokens, without its adapters' bytes.
  static step_load of_rows(std::uint32_t count, std::uint32_t context, bool adapted,
                           std::uint32_t head) noexcept;
};

/// What is known of an executor before it ran; a first guess of its prices comes from that.
struct executor_sizes {
  std::uint64_t weight_bytes = 0;
  std::uint64_t kv_bytes_per_token = 0;
};

/// Seconds that a step takes, as a line in the counts of its load:
///
///     T = c0 + c1 rows + c2 max(0, rows - 16) + c3 attended + c4 adapter_bytes + c5 adapter_rows + c6
///     head_rows
///
/// c0 is what a step costs whatever is in it (the weights are read once), c2 what a row costs more once
/// reading weights is no longer the limit, c4 one over the bandwidth that adapters come with. A line and not
/// the larger of a memory and an arithmetic time, because then prices add up: a sequence's share of a step is
/// its own. No price is ever negative. Prices follow measured steps by weighted least squares with
/// forgetting.
class step_cost {
 public:
  static constexpr std::size_t prices = 7;
  using vector = std::array<double, prices>;

  explicit step_cost(const executor_sizes& sizes);

  /// Seconds of a step with this load.
  double predict(const step_load& load) const noexcept;

  /// Seconds that a share adds to a step, whoever else is in it: no part of c0, its rows as beyond the 16th.
  double added(const step_load& share) const noexcept;

  /// A sequence's part of a step: its own counts, its part of the excess rows, an equal part of c0. The parts
  /// of all sequences sum up to what `predict` says of the step.
  double part(const step_load& share, const step_load& step) const noexcept;

  /// A step with this load took `seconds`. What is not a time (not finite, not above 0, above an hour) is
  /// ignored; a step far off the line, which something foreign has stretched, moves prices little.
  void learn(const step_load& load, double seconds) noexcept;

  /// c0 to c6, in seconds per unit.
  const vector& price() const noexcept { return price_; }

  /// Steps learned from.
  std::uint64_t steps() const noexcept { return steps_; }

  /// How far measured times are off lately: the mean of |measured - predicted| over the larger of the two.
  double error() const noexcept { return error_; }

 private:
  static vector counts(const step_load& load) noexcept;
  void solve() noexcept;

  // The weighted squares as a quadratic form: price' a price / 2 - b' price.
  std::array<vector, prices> a_{};
  vector b_{};
  vector anchor_{};  // the least weight that the present price has, so that what is never seen stays as it is
  vector price_{};
  double error_ = 1;
  std::uint64_t steps_ = 0;
};

}  // namespace lorica
