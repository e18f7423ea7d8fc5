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

/// Two things in turns, so that what moves the clock moves both: base first.
template <class Base, class Other>
std::pair<times, times> repeat_in_turns(const repetition& how, Base&& base, Other&& other) {
  std::vector<double> of_base, of_other;
  for (std::uint32_t i = 0; i < how.warmups + how.runs; ++i) {
    const double first = base(), second = other();
    if (i < how.warmups) continue;
    of_base.push_back(first);
    of_other.push_back(second);
  }
  return {summary_of(std::move(of_base)), summary_of(std::move(of_other))};
}

}  // namespace lorica::bench
