#pragma once

#include <map>
#include <string>

#include "actors/payloads.hpp"
#include "core/metrics.hpp"

namespace lorica {

/// The series about requests, with one set per adapter for the first `most_named` adapters that are used;
/// later ones share the label `other`, the base has the empty label; a request counts for each adapter that
/// it names. Owned by `telemetry`.
class request_series {
 public:
  static constexpr std::size_t most_named = 100;

  explicit request_series(metrics& counters);
  void count(const request_facts& facts);

 private:
  struct per_adapter {
    metrics::counter &requests, &prompt_tokens, &generated_tokens;
  };
  void count(const std::string& adapter, const request_facts& facts);
  per_adapter& series_of(const std::string& adapter);
  per_adapter make_series(const std::string& label);
  void count_failure(errc why);
  void count_success(const request_facts& facts);

  metrics& counters_;
  std::map<std::string, per_adapter> adapters_;
  per_adapter other_;
  std::map<std::string, metrics::counter*> failures_;
  std::map<std::string, metrics::counter*> tgi_failures_;
  metrics::counter &requests_, &successes_, &fallbacks_;
  metrics::histogram &first_token_, &queue_, &total_;
  metrics::histogram &tgi_total_, &tgi_validation_, &tgi_queue_, &tgi_inference_, &tgi_per_token_;
  metrics::histogram &tgi_input_, &tgi_generated_, &tgi_max_new_;
};

}  // namespace lorica
