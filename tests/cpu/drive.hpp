#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/ids.hpp"
#include "cpu/executor.hpp"
#include "cpu/mode.hpp"
#include "engine/adapter_weights.hpp"
#include "engine/planner.hpp"
#include "engine/sampler.hpp"
#include "model/weights.hpp"

namespace lorica::testing {

/// What the reference tells of one token, from a logprobs.json.
struct told_token {
  double logprob = 0;
  std::uint32_t first_rank = 0;  ///< the places that logits near its own allow
  std::uint32_t last_rank = 0;
  std::vector<std::pair<token_id, double>> top;
};

/// One case of a golden.json: what transformers and peft answered.
struct golden_case {
  std::string adapter;                                          ///< empty: base, or a composition
  std::vector<std::pair<std::string, float>> composition = {};  ///< adapters with weights
  combination combine = combination::sum;
  std::vector<token_id> prompt;
  std::vector<token_id> tokens;
  std::vector<double> logprobs;
  std::vector<told_token> prompt_told = {};  ///< of the second token on
  std::vector<told_token> answer_told = {};
  // What a test asks for beside it.
  sampling_params sampling = {};
  std::uint32_t top_logprobs = 0;
  std::optional<std::uint32_t> prompt_logprobs = {};
};

/// What a case asks for, with weights; empty: base.
std::vector<std::pair<std::string, float>> shares_of(const golden_case& c);

/// What a generation gave.
struct answer {
  std::vector<token_id> tokens;
  std::vector<float> logprobs;
  std::vector<token_choice> told = {};    ///< the same with alternatives
  std::vector<token_choice> prompt = {};  ///< of the second token on
  bool operator==(const answer&) const = default;
};

/// Everything an executor may compute in. Under the sanitizers, which are slow, what touches most code: int8
/// has the kernels of bfloat16 for attention, and for adapters that are not codes.
inline std::vector<cpu_mode> modes() {
#if defined(__SANITIZE_THREAD__)
  return {{cpu_dtype::bfloat16, true, true}, {cpu_dtype::bfloat16, true, true, true}};
#elif defined(__SANITIZE_ADDRESS__)
  return {cpu_dtype::float32, {cpu_dtype::bfloat16, true}, {cpu_dtype::bfloat16, true, true, true}};
#else
  return {cpu_dtype::float32,
          cpu_dtype::bfloat16,
          {cpu_dtype::bfloat16, true},
          {cpu_dtype::bfloat16, true, true},
          {cpu_dtype::bfloat16, false, false, true},
          {cpu_dtype::bfloat16, true, true, true}};
#endif
}

/// How a run of many generations is driven.
struct drive {
  cpu_mode mode = cpu_dtype::float32;
  std::uint32_t threads = 1;
  std::uint32_t chunk = 64;  ///< prefill tokens per step
  std::uint32_t blocks = 0;  ///< 0: enough for everybody
  std::uint32_t block_tokens = 16;
  std::uint32_t max_sequences = 32;
  std::uint32_t token_ids = 0;  ///< 0: all of the vocabulary
  std::uint64_t logits_bytes = cpu_options{}.logits_bytes;
  std::optional<isa> instructions = {};
  bool prefix_caching = true;
  schedule_policy policy = schedule_policy::fair;
  bool plan_ahead = false;  ///< the step behind the one that is computed, where it can be told
  std::uint32_t apart = 0;  ///< steps between one arrival and the next; 0: all are there at once
};

/// What makes an executor for a drive with so many KV blocks.
using executor_maker = std::function<std::unique_ptr<executor>(
    const std::shared_ptr<const model_weights>& weights, const drive& how, std::uint32_t blocks)>;

/// The CPU's.
std::unique_ptr<executor> make_cpu(const std::shared_ptr<const model_weights>& weights, const drive& how,
                                   std::uint32_t blocks);

/// How the CPU's executor is made for a drive with so many KV blocks.
cpu_options cpu_options_for(const model_config& m, const drive& how, std::uint32_t blocks);

/// Adapters by the names of cases.
using adapter_source = std::function<adapter_weights(const std::string& name)>;

/// What all generations gave, in the order of their cases.
struct outcome {
  std::vector<answer> answers;
  std::uint64_t preemptions = 0;
  std::uint64_t prefix_hits = 0;  ///< tokens that were not computed again
  std::set<std::size_t>
      preempted;  ///< cases that went back to the queue after they had begun to answer or to be told
  std::uint64_t steps = 0;
  std::uint64_t ahead = 0;      ///< of them, those that were planned ahead
  std::uint64_t dropped = 0;    ///< planned ahead, but not everybody went on
  std::uint64_t withdrawn = 0;  ///< planned ahead, but somebody came before they began
};

/// Runs all cases through planner and executor together. Of the arrivals that meet a step which is planned
/// ahead, every second one comes before it begins.
outcome run_all(const std::shared_ptr<const model_weights>& weights, const adapter_source& adapters,
                const std::vector<golden_case>& cases, const drive& how,
                const executor_maker& make = make_cpu);

}  // namespace lorica::testing
