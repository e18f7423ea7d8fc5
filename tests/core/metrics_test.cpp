#include "core/metrics.hpp"

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("series appear in the text with their labels and values") {
  metrics m;
  m.make_counter("lorica_requests_total", "Requests.", {{"adapter", "sql"}}).add(3);
  m.make_gauge("lorica_running", "Running.").set(2);
  m.make_histogram("lorica_seconds", "Seconds.", {0.1, 1}).observe(0.5);
  auto text = m.text();
  CHECK(text.find("lorica_requests_total{adapter=\"sql\"} 3") != std::string::npos);
  CHECK(text.find("lorica_running 2") != std::string::npos);
  CHECK(text.find("lorica_seconds_bucket{le=\"1\"} 1") != std::string::npos);
}
