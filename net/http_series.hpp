#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "core/error.hpp"
#include "core/metrics.hpp"

namespace lorica {

/// What the HTTP side counts. Routes are the labels of the router's table and statuses a short list, so the
/// number of series is bounded. Thread-safe.
class http_series {
 public:
  /// `all` outlives it.
  explicit http_series(metrics& all);

  void count(std::string_view route, int status, std::chrono::nanoseconds duration);

  /// A generation that was refused before the actors heard of it counts in TGI's series too; those that reach
  /// them are counted there.
  void count_refusal(errc why);

  void connections(std::size_t open);

 private:
  struct series {
    metrics::counter* requests;
    metrics::histogram* seconds;
  };
  series find(std::string_view route, int status);

  metrics& all_;
  metrics::gauge& connections_;
  metrics::counter& generations_;
  metrics::counter& invalid_;
  metrics::counter& overloaded_;
  std::mutex growing_;  // guards `known_`, which grows when a route first gives a status
  std::map<std::pair<std::string, int>, series> known_;
};

}  // namespace lorica
