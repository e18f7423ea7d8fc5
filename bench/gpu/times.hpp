#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace lorica::bench {

/// How often a thing is measured.
struct repetition {
  std::uint32_t warmups = 3;
  std::uint32_t runs = 20;
  /// What is measured first on a card that was idle is run so long before it: clocks rise meanwhile.
  double warm_seconds = 0.2;
};

/// What runs took, in seconds. Nothing was run: all 0.
struct times {
  double mean = 0;
  double median = 0;  ///< of an even number of runs the mean of the middle two
  double best = 0;
  std::uint32_t runs = 0;

  /// Of one of `parts` equal parts.
  times per(double parts) const noexcept { return {mean / parts, median / parts, best / parts, runs}; }
};

times summary_of(std::vector<double> seconds);

/// Seconds of the wall clock that `body` takes.
template <class Body>
double seconds_of(Body&& body) {
  const auto begin = std::chrono::steady_clock::now();
  std::forward<Body>(body)();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Runs `body` until so many seconds are over; none: not at all.
template <class Body>
void warm_up(double seconds, Body&& body) {
  const auto begin = std::chrono::steady_clock::now();
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < seconds)
    body();
}

/// Runs of `measure`, which gives seconds; those to warm up are not counted.
template <class Measure>
times repeat(const repetition& how, Measure&& measure) {
  std::vector<double> seconds;
  for (std::uint32_t i = 0; i < how.warmups + how.runs; ++i) {
    const double took = measure();
    if (i >= how.warmups) seconds.push_back(took);
  }
  return summary_of(std::move(seconds));
}

/// Two things that were measured in turns.
struct pair_of_times {
  times base, other;
  double median_difference = 0;  ///< of other less base, turn by turn: what moves both moves it little
};

pair_of_times pairs_of(std::vector<double> base, std::vector<double> other);

/// Two things in turns, so that what moves the clock moves both: base first.
template <class Base, class Other>
pair_of_times repeat_in_turns(const repetition& how, Base&& base, Other&& other) {
  std::vector<double> of_base, of_other;
  for (std::uint32_t i = 0; i < how.warmups + how.runs; ++i) {
    const double first = base(), second = other();
    if (i < how.warmups) continue;
    of_base.push_back(first);
    of_other.push_back(second);
  }
  return pairs_of(std::move(of_base), std::move(of_other));
}

}  // namespace lorica::bench
