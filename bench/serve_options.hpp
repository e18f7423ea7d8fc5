#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/serve_metrics.hpp"
#include "bench/traffic.hpp"
#include "core/ids.hpp"

namespace lorica::bench {

enum class dataset : std::uint8_t { random, s_lora, punica };

/// How a request names its adapter.
enum class lora_style : std::uint8_t {
  openai,     ///< as its model
  llama_cpp,  ///< as `lora: [{id, scale}]`; the id is the adapter's place in --lora-modules
};

/// What `lorica-bench serve` was asked for. Names are those of `vllm bench serve` where it has them.
struct serve_options {
  std::string base_url = {};
  std::string endpoint = "/v1/completions";
  std::string model = {};  ///< empty: the first of the server's list
  std::string key = {};
  dataset what = dataset::random;
  random_traffic random = {};
  s_lora_traffic s_lora = {};
  punica_traffic punica = {};
  std::pair<token_id, token_id> token_ids = {100, 20'000};  ///< prompts are drawn from [first, second)
  std::uint64_t seed = 0;
  std::uint32_t max_concurrency = 0;  ///< 0: no limit
  std::vector<std::string> adapters = {};
  lora_style style = lora_style::openai;
  bool ignore_eos = false;
  double temperature = 0;
  std::uint32_t warmups = 0;
  goodput_bounds bounds = {};
  std::vector<std::string> percentile_metrics = {"ttft", "tpot", "itl"};
  std::vector<double> percents = {99};
  bool save_result = false;
  bool save_detailed = false;
  std::string result_folder = {};
  std::string result_file = {};  ///< empty: made of label, rate, model and date
  std::string label = {};
  std::vector<std::pair<std::string, std::string>> metadata = {};
  std::vector<pid_t> server_processes = {};
  std::string command = {};  ///< as it was typed, for the result
};

}  // namespace lorica::bench
