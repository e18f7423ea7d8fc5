#pragma once

#include <string>
#include <vector>

#include "bench/workload.hpp"

namespace lorica::bench {

/// Names of the sets of workloads, `all` among them.
std::vector<std::string> suite_names();

/// `usual`: one stream and more, base and adapters of `rank`, prefill. `ranks`: one adapter of rank 8 or 64
/// for 1 and 8 streams. `adapters`: 32 streams with 1 to 32 adapters of ranks 8, 16, 32 and 64 in turns.
/// `mixed-prefill`: 8 prompts of 64 tokens in one step, base and 8 adapters. Each has the base's workload
/// that its others are compared with. Empty for another name.
std::vector<workload> workloads(const std::string& suite, std::uint32_t rank);

/// Those whose name matches one of the patterns (`*` and `?`); all where there is no pattern.
std::vector<workload> matching(const std::vector<workload>& all, const std::vector<std::string>& patterns);

/// The base's workload among `all` that differs from `w` in adapters only; null where there is none, or `w`
/// is of the base itself.
const workload* base_of(const workload& w, const std::vector<workload>& all);

}  // namespace lorica::bench
