#pragma once

#include <cstddef>
#include <cstdint>

#include "text/template_failure.hpp"

namespace lorica::jinja {

/// What one rendering may use.
struct render_limits {
  std::size_t steps = 1'000'000;                ///< nodes evaluated, items walked
  std::size_t made_bytes = 256u << 20;          ///< all strings that operations make
  std::size_t output_bytes = 8u << 20;          ///< the rendered text
  std::size_t evaluation_depth = 1'000;         ///< nodes within nodes, macros included
  std::size_t macro_depth = 64;                 ///< macros and recursive loops within one another
  static constexpr unsigned value_depth = 200;  ///< containers within containers
  static constexpr std::int64_t range_items = 100'000;
};

/// Counts what a rendering uses and stops it at its limits. One per rendering, on one thread.
class meter {
 public:
  explicit meter(const render_limits& limits) : limits_(limits) {}

  void step(std::size_t count = 1) {
    if (count > limits_.steps - steps_) limit_error("the template takes more than 1000000 steps");
    steps_ += count;
  }

  /// Before a string of `bytes` is made. Long ones also cost steps, since they cost time.
  void make(std::size_t bytes) {
    if (bytes > limits_.made_bytes - made_) limit_error("the template makes more than 256 MiB of text");
    made_ += bytes;
    step(bytes >> 12);
  }

  void output(std::size_t bytes) const {
    if (bytes > limits_.output_bytes)
      limit_error("the rendered conversation is longer than " + std::to_string(limits_.output_bytes) +
                  " bytes");
  }

  /// One level of evaluation, or of macros, for as long as it lives.
  class level {
   public:
    level(std::size_t& depth, std::size_t limit, const char* what) : depth_(depth) {
      if (depth_ >= limit) limit_error(std::string(what) + " nested deeper than " + std::to_string(limit));
      ++depth_;
    }
    level(const level&) = delete;
    level& operator=(const level&) = delete;
    ~level() { --depth_; }

   private:
    std::size_t& depth_;
  };

  level deeper() { return level(depth_, limits_.evaluation_depth, "the template evaluates expressions"); }
  level call() { return level(macros_, limits_.macro_depth, "the template calls macros"); }

 private:
  render_limits limits_;
  std::size_t steps_ = 0;
  std::size_t made_ = 0;
  std::size_t depth_ = 0;
  std::size_t macros_ = 0;
};

}  // namespace lorica::jinja
