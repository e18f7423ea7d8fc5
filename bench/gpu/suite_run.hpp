#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/gpu/case_outcome.hpp"
#include "bench/gpu/cases.hpp"
#include "bench/gpu/session.hpp"

namespace lorica::bench {

/// Reads what the card is, in a process of its own: a process that has opened a device cannot be copied.
/// Fails as `card_at` does.
result<card> card_of(int device);

/// Why a case was not run whose time others took.
inline constexpr std::string_view no_time = "no time was left";

/// Runs cases in order, each in a process of its own, so that neither an error that breaks the device nor a
/// kernel that never ends takes the others with it. A case has its share of the time that is left; behind it
/// nothing of it begins, and a while later its process is killed. Rows and rates that a process told before
/// its end stay.
class suite_run {
 public:
  suite_run(session_settings settings, card at, std::span<const bench_case> cases,
            std::function<bool(std::string_view id)> is_wanted);

  /// Called after each row and each case: what is known so far is whole.
  std::function<void()> changed;
  /// Called with each row.
  std::function<void(const row&)> watch;

  /// Once in a life.
  void run();

  const session& measured() const noexcept { return session_; }
  const std::vector<case_outcome>& outcomes() const noexcept { return outcomes_; }
  bool complete() const noexcept { return complete_; }

 private:
  void run_case(const bench_case& c, case_outcome& out, double seconds);
  double weights_from(std::size_t first) const;
  void tell() const;

  std::span<const bench_case> cases_;
  session session_;
  std::vector<case_outcome> outcomes_;
  std::vector<bool> wanted_;
  bool complete_ = false;
};

}  // namespace lorica::bench
