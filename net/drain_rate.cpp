#include "net/drain_rate.hpp"

#include <algorithm>
#include <cmath>

namespace lorica {
namespace {

constexpr double memory = 10;  // seconds
constexpr double least = 1, most = 60;
constexpr double unknown = 5;  // while nothing has come free yet

double seconds_between(drain_rate::time_point from, drain_rate::time_point to) {
  return std::max(0.0, std::chrono::duration<double>(to - from).count());
}

}  // namespace

void drain_rate::forget(time_point now) {
  if (!began_) began_ = latest_ = now;
  auto keep = std::exp(-seconds_between(latest_, now) / memory);
  freed_ *= keep;
  refused_ *= keep;
  latest_ = std::max(latest_, now);
}

void drain_rate::freed(time_point now) {
  forget(now);
  ++freed_;
}

void drain_rate::refused(time_point now) {
  forget(now);
  ++refused_;
}

std::chrono::seconds drain_rate::wait(time_point now) {
  forget(now);
  auto watched = seconds_between(*began_, now);
  double answer = unknown;
  if (freed_ > 0) {
    // What a count of this memory would be at one a second, after the time that was watched.
    auto full = memory * (1 - std::exp(-std::max(watched, 1.0) / memory));
    answer = std::max(refused_, 1.0) / (freed_ / full);
  } else if (watched > unknown) {
    answer = watched;
  }
  return std::chrono::seconds(static_cast<int>(std::ceil(std::clamp(answer, least, most))));
}

}  // namespace lorica
