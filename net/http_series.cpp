#include "net/http_series.hpp"

#include <vector>

namespace lorica {
namespace {

std::vector<double> seconds_bounds() {
  return {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300};
}

}  // namespace

http_series::http_series(metrics& all)
    : all_(all),
      connections_(all.make_gauge("lorica_http_connections", "Open connections.")),
      generations_(all.make_counter("tgi_request_count", "Requests that reached an end.")),
      invalid_(all.make_counter("tgi_request_failure", "Requests that ended with an error.",
                                {{"err", "validation"}})),
      overloaded_(all.make_counter("tgi_request_failure", "Requests that ended with an error.",
                                   {{"err", "overloaded"}})) {}

void http_series::count(std::string_view route, int status, std::chrono::nanoseconds duration) {
  auto s = find(route, status);
  s.requests->add();
  s.seconds->observe(std::chrono::duration<double>(duration).count());
}

void http_series::count_refusal(errc why) {
  generations_.add();
  auto& failure = why == errc::overloaded || why == errc::unavailable ? overloaded_ : invalid_;
  failure.add();
}

void http_series::connections(std::size_t open) {
  connections_.set(static_cast<double>(open));
}

http_series::series http_series::find(std::string_view route, int status) {
  std::lock_guard hold(growing_);
  auto key = std::pair(std::string(route), status);
  auto at = known_.find(key);
  if (at != known_.end()) return at->second;
  metrics::labels labels{{"route", key.first}, {"status", std::to_string(status)}};
  series made{&all_.make_counter("lorica_http_requests_total", "Answered requests.", labels),
              &all_.make_histogram("lorica_http_request_seconds",
                                   "From the header of a request to the last byte of its answer.",
                                   seconds_bounds(), {{"route", key.first}})};
  return known_.emplace(std::move(key), made).first->second;
}

}  // namespace lorica
