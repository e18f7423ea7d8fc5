#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>

#include "app/admin/metric_sample.hpp"
#include "app/admin/server_link.hpp"

namespace lorica::admin {

/// The server at one moment, as `top` sees it.
struct top_reading {
  std::chrono::steady_clock::time_point at;
  std::int64_t time = 0;  ///< seconds since the epoch
  bool ready = false;
  value info;
  value::array adapters;
  metric_sample metrics;
};

/// Asks the four routes that it takes.
result<top_reading> read_top(server_link& server, const std::stop_token& stop);

}  // namespace lorica::admin
