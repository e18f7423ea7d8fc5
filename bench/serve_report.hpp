#pragma once

#include <string>
#include <vector>

#include "bench/serve_metrics.hpp"
#include "bench/serve_options.hpp"
#include "bench/serve_run.hpp"

namespace lorica::bench {

/// The result file: the keys of `vllm bench serve --save-result`, and after them what vLLM's does not tell:
/// seed, traffic, adapters, processor time and memory of both sides, others' load, command. `date` is local
/// time as YYYYMMDD-HHMMSS. Lists of single requests only when `save_detailed`.
std::string result_json(const serve_options& o, const std::vector<planned_request>& plan,
                        const serve_run& run, const serve_metrics& m, const std::string& date);

/// For people.
std::string result_table(const serve_options& o, const serve_run& run, const serve_metrics& m);

/// Where the result goes: folder, and the given name or `LABEL-RATEqps[-concurrencyN]-MODEL-DATE.json`.
std::string result_path(const serve_options& o, const std::string& date);

}  // namespace lorica::bench
