#pragma once

#include <chrono>

namespace lorica {

/// Source of time, handed in wherever time matters so that tests own it.
class clock_source {
 public:
  using time_point = std::chrono::steady_clock::time_point;
  virtual ~clock_source() = default;
  virtual time_point now() const noexcept = 0;
};

/// The real thing.
class steady_clock_source final : public clock_source {
 public:
  time_point now() const noexcept override { return std::chrono::steady_clock::now(); }
};

}  // namespace lorica
