#include "app/admin/top_reading.hpp"

namespace lorica::admin {

result<top_reading> read_top(server_link& server, const std::stop_token& stop) {
  top_reading out;
  auto health = server.text("/health", stop);
  if (!health && health.error().code != errc::unavailable) return health.error();
  out.ready = health.has_value();
  auto info = server.get("/info", stop);
  if (!info) return info.error();
  out.info = *std::move(info);
  auto adapters = server.adapters("", stop);
  if (!adapters) return adapters.error();
  out.adapters = *std::move(adapters);
  auto metrics = server.text("/metrics", stop);
  if (!metrics) return metrics.error();
  out.metrics = metric_sample::read(*metrics);
  out.at = std::chrono::steady_clock::now();
  out.time = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return out;
}

}  // namespace lorica::admin
