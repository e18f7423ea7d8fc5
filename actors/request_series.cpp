#include "actors/request_series.hpp"

#include "actors/time_bounds.hpp"

namespace lorica {
namespace {

double seconds(std::chrono::nanoseconds t) {
  return std::chrono::duration<double>(t).count();
}

std::vector<double> token_counts() {
  return {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
}

/// Label of `lorica_request_failures_total`: what the operator can act on.
const char* reason(errc why) {
  switch (why) {
    case errc::invalid:
    case errc::malformed: return "invalid";
    case errc::unknown_adapter: return "unknown_adapter";
    case errc::bad_adapter: return "bad_adapter";
    case errc::cancelled: return "cancelled";
    case errc::timeout: return "timeout";
    case errc::incomplete:
    case errc::unavailable: return "unavailable";
    case errc::out_of_memory: return "out_of_memory";
    default: return "generation";
  }
}

/// Label `err` of `tgi_request_failure`.
const char* tgi_reason(errc why) {
  switch (why) {
    case errc::invalid:
    case errc::malformed:
    case errc::unknown_adapter: return "validation";
    case errc::overloaded:
    case errc::unavailable: return "overloaded";
    case errc::cancelled: return "dropped";
    case errc::incomplete: return "incomplete";
    default: return "generation";
  }
}

}  // namespace

request_series::request_series(metrics& m)
    : counters_(m),
      other_(make_series("other")),
      requests_(m.make_counter("tgi_request_count", "Requests that reached an end.")),
      successes_(m.make_counter("tgi_request_success", "Requests that finished by themselves.")),
      fallbacks_(m.make_counter("lorica_unknown_adapter_fallbacks_total",
                                "Requests that the base answered for a name that no adapter has.")),
      first_token_(m.make_histogram("lorica_time_to_first_token_seconds",
                                    "From the start of a request to its first token.", long_times())),
      queue_(m.make_histogram("lorica_queue_seconds", "From submission to admission.", long_times())),
      total_(m.make_histogram("lorica_request_seconds", "From the start of a request to its end.",
                              long_times())),
      tgi_total_(m.make_histogram("tgi_request_duration", "As lorica_request_seconds.", long_times())),
      tgi_validation_(m.make_histogram("tgi_request_validation_duration",
                                       "Name resolution and tokenising, in seconds.", short_times())),
      tgi_queue_(m.make_histogram("tgi_request_queue_duration", "As lorica_queue_seconds.", long_times())),
      tgi_inference_(m.make_histogram("tgi_request_inference_duration",
                                      "From admission to the last token, in seconds.", long_times())),
      tgi_per_token_(m.make_histogram("tgi_request_mean_time_per_token_duration",
                                      "Inference over generated tokens, in seconds.", short_times())),
      tgi_input_(m.make_histogram("tgi_request_input_length", "Prompt tokens.", token_counts())),
      tgi_generated_(m.make_histogram("tgi_request_generated_tokens", "Generated tokens.", token_counts())),
      tgi_max_new_(
          m.make_histogram("tgi_request_max_new_tokens", "Tokens a request may generate.", token_counts())) {
  for (auto code : {errc::invalid, errc::unknown_adapter, errc::bad_adapter, errc::cancelled, errc::timeout,
                    errc::unavailable, errc::out_of_memory, errc::internal})
    failures_[reason(code)] = &m.make_counter(
        "lorica_request_failures_total", "Requests that ended with an error.", {{"reason", reason(code)}});
  for (auto code : {errc::invalid, errc::overloaded, errc::cancelled, errc::incomplete, errc::internal})
    tgi_failures_[tgi_reason(code)] = &m.make_counter(
        "tgi_request_failure", "Requests that ended with an error.", {{"err", tgi_reason(code)}});
}

request_series::per_adapter request_series::make_series(const std::string& label) {
  metrics::labels l{{"adapter", label}};
  return {counters_.make_counter("lorica_requests_total", "Requests by adapter; empty is the base.", l),
          counters_.make_counter("lorica_prompt_tokens_total", "Prompt tokens by adapter.", l),
          counters_.make_counter("lorica_generated_tokens_total", "Generated tokens by adapter.", l)};
}

request_series::per_adapter& request_series::series_of(const std::string& adapter) {
  auto found = adapters_.find(adapter);
  if (found != adapters_.end()) return found->second;
  // The bound keeps a client that walks through many names from growing the registry; `other` may be the name
  // of an adapter too and then simply shares the series.
  if (adapters_.size() >= most_named || adapter == "other") return other_;
  return adapters_.emplace(adapter, make_series(adapter)).first->second;
}

void request_series::count(const std::string& adapter, const request_facts& facts) {
  auto& series = series_of(adapter);
  series.requests.add();
  series.prompt_tokens.add(facts.prompt_tokens);
  series.generated_tokens.add(facts.generated_tokens);
}

void request_series::count(const request_facts& facts) {
  if (facts.adapters.empty()) count("", facts);
  for (auto& adapter : facts.adapters)
    count(adapter, facts);
  if (facts.fallback) fallbacks_.add();
  requests_.add();
  total_.observe(seconds(facts.total));
  tgi_total_.observe(seconds(facts.total));
  tgi_validation_.observe(seconds(facts.timings.validation));
  if (facts.first_token) first_token_.observe(seconds(*facts.first_token));
  if (facts.prompt_tokens > 0) {
    queue_.observe(seconds(facts.timings.queue));
    tgi_queue_.observe(seconds(facts.timings.queue));
    tgi_input_.observe(facts.prompt_tokens);
    tgi_max_new_.observe(facts.max_new_tokens);
  }
  if (facts.failure) return count_failure(*facts.failure);
  count_success(facts);
}

void request_series::count_failure(errc why) {
  failures_.at(reason(why))->add();
  tgi_failures_.at(tgi_reason(why))->add();
}

void request_series::count_success(const request_facts& facts) {
  successes_.add();
  tgi_generated_.observe(facts.generated_tokens);
  tgi_inference_.observe(seconds(facts.timings.inference));
  if (facts.generated_tokens > 0)
    tgi_per_token_.observe(seconds(facts.timings.inference) / facts.generated_tokens);
}

}  // namespace lorica
