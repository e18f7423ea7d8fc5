#pragma once

#include <algorithm>
#include <limits>

#include "bench/virtual_server.hpp"

namespace lorica::testing {

/// A machine with known prices, near two cores with a small int4 model: 2 ms for the weights, 60 us a row up
/// to 16 and 180 us beyond, 0.28 ms for each adapter of 9.8 MB.
inline double cpu_seconds(const step_load& l) {
  return 2e-3 + 0.06e-3 * l.rows + 0.12e-3 * std::max(0.0, l.rows - 16) + 0.2e-6 * l.attended +
         l.adapter_bytes / 35e9 + 0.02e-3 * l.adapter_rows + 0.05e-3 * l.head_rows;
}

inline bench::virtual_machine cpu_machine() {
  return {.step_seconds = cpu_seconds};
}

inline planner_options cpu_options() {
  planner_options o;
  o.block_tokens = 16;
  o.blocks = 8192;
  o.max_sequences = 64;
  o.max_rows = 512;
  o.max_positions = 16'384;
  o.max_prefill_tokens = 256;
  o.max_waiting = 4096;
  o.inter_token_target = 0.05;
  o.sizes = {84'000'000, 23'040};
  return o;
}

/// Serves mixed traffic until the planner knows the prices.
inline void teach(bench::virtual_server& server) {
  bench::s_lora_traffic o;
  o.adapters = 8;
  o.rate = 10;
  o.duration = 30;
  o.input = {8, 256};
  o.output = {8, 64};
  auto planned = bench::plan(o);
  server.serve(bench::arrivals_of(*planned), std::numeric_limits<double>::infinity());
}

/// `count` requests at once, a second after what the server has done.
inline std::vector<bench::request_arrival> burst(const bench::virtual_server& server, std::uint32_t count,
                                                 std::uint32_t adapter, std::uint32_t prompt,
                                                 std::uint32_t output) {
  return std::vector<bench::request_arrival>(count, {server.now(), adapter, prompt, output});
}

}  // namespace lorica::testing
