#pragma once

#include <span>
#include <string_view>

#include "bench/gpu/session.hpp"

namespace lorica::bench {

/// A case of the suite: adds rows to the session.
struct bench_case {
  std::string_view id;
  std::string_view what;
  void (*run)(session& s);
  double seconds = 0;   ///< that it may need, beside the others: its share of the time that is left
  bool in_fp8 = false;  ///< whether it is another case where weights are fp8
};

/// All of them, in the order in which they are run: what says most first.
std::span<const bench_case> cases();

// What they are is said in docs/performance.md, "On a GPU".
void base_decode(session& s);      // G-1
void base_prefill(session& s);     // G-2
void adapted_decode(session& s);   // G-3
void unused_adapters(session& s);  // G-4
void adapted_prefill(session& s);  // G-5
void adapter_kernels(session& s);  // G-6
void cold_adapters(session& s);    // G-7
void many_adapters(session& s);    // G-8
void slot_thrash(session& s);      // G-9
void chat_traffic(session& s);     // G-10

}  // namespace lorica::bench
