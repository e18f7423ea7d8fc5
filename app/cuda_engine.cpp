#include "app/cuda_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "app/memory_choice.hpp"
#include "core/log.hpp"
#include "gpu/device.hpp"
#include "gpu/executor.hpp"

namespace lorica {
namespace {

/// Of what may be taken; the rest is for the driver, its code and graphs.
constexpr double taken_share = 0.92;

/// Of the start, to measure how rows of adapters are best shared out.
constexpr std::chrono::milliseconds measure_for{150};

/// Rows of the device's table of adapters.
constexpr std::uint32_t most_device_adapters = 2048;

/// What is left for keys and values once everything else has its memory.
result<std::uint64_t> left_for_kv(const model_weights& model, gpu::gpu_options options,
                                  std::uint64_t budget) {
  options.blocks = 0;  // what the cache takes without them
  const auto needed = gpu::gpu_memory_of(model, options);
  const auto of = [&](memory_part p) { return needed[static_cast<std::size_t>(p)]; };
  std::uint64_t others = 0;
  for (auto bytes : needed)
    others += bytes;
  if (others < budget) return budget - others;
  return fail(
      errc::out_of_memory,
      fmt::format("the device has {} MiB to give (--cuda-memory-fraction); weights need {}, adapters {} "
                  "(--adapter-device-memory), workspace {} (--max-batch-prefill-tokens, --max-batch-size), "
                  "and nothing is left for keys and values",
                  budget >> 20, of(memory_part::weights) >> 20, of(memory_part::adapters) >> 20,
                  of(memory_part::workspace) >> 20));
}

/// Numbers of rows to record steps for: those of `wanted` that there can be.
std::vector<std::uint32_t> graph_rows(const std::vector<std::uint32_t>& wanted, std::uint32_t most) {
  std::vector<std::uint32_t> out;
  std::ranges::copy_if(wanted, std::back_inserter(out), [&](auto rows) { return rows <= most; });
  if (out.size() < wanted.size())
    log_info("{} of {} --cuda-graphs are above --max-batch-size ({}) and not recorded",
             wanted.size() - out.size(), wanted.size(), most);
  return out;
}

gpu::gpu_options options_of(const serve_settings& s, const model_config& m, std::uint32_t token_ids) {
  gpu::gpu_options out;
  out.max_sequences = s.max_batch_size;
  out.max_rows = s.max_batch_prefill_tokens + s.max_batch_size;
  out.token_ids = token_ids;
  out.adapters = most_device_adapters;
  if (s.dtype == compute_dtype::fp8) out.weights = gpu::weight_format::fp8;
  out.max_positions = std::min(s.max_total_tokens.value_or(m.max_positions), m.max_positions);
  out.same_products = s.deterministic;
  out.measure = measure_for;
  if (s.cuda_graphs) {
    out.graph_rows = graph_rows(*s.cuda_graphs, s.max_batch_size);
    out.graphs = !out.graph_rows.empty();
  }
  return out;
}

/// How large the pool of keys and values is to be within `left` bytes.
result<kv_plan> plan_kv_of(const serve_settings& s, const model_config& m, std::uint32_t block_tokens,
                           std::uint64_t left) {
  auto r = kv_request_of(s, m, block_tokens);
  if (r.kv_memory > left)
    return fail(errc::bad_config,
                fmt::format("--kv-memory: {} bytes are more than the {} that are left of the device's memory "
                            "(--cuda-memory-fraction, --adapter-device-memory)",
                            r.kv_memory, left));
  r.available = left;
  r.share = 1;
  r.bytes_per_token = gpu::gpu_kv_bytes_per_token(m);
  auto plan = plan_kv(r);
  if (plan) tell_of_kv(*plan, r, "bfloat16");
  return plan;
}

}  // namespace

std::uint64_t device_budget(std::uint64_t all, std::uint64_t free, double share) noexcept {
  const auto may = std::min(static_cast<double>(free), static_cast<double>(all) * share);
  return static_cast<std::uint64_t>(may * taken_share);
}

result<chosen_engine> make_on_cuda(const serve_settings& s, const std::shared_ptr<const model_weights>& model,
                                   std::uint32_t token_ids) {
  auto options = options_of(s, model->config(), token_ids);
  auto opened = gpu::device::open(options.device);
  if (!opened) return opened.error();
  if (auto ok = check_weights(options.weights, opened->properties()); !ok)
    return fail(ok.error().code, "--dtype: " + ok.error().text);
  auto free = opened->free_bytes();
  if (!free) return free.error();
  const auto budget = device_budget(opened->properties().memory_bytes, *free, s.cuda_memory_fraction);
  options.adapter_bytes = std::min(adapter_limit(s), budget / 4);
  auto left = left_for_kv(*model, options, budget);
  if (!left) return left.error();
  auto plan = plan_kv_of(s, model->config(), options.block_tokens, *left);
  if (!plan) return std::move(plan).error();
  options.blocks = plan->blocks;
  options.max_positions = plan->max_total_tokens;
  auto engine = gpu::make_gpu_executor(model, options);
  if (!engine) return std::move(engine).error();
  const std::string numbers = "bfloat16";  // but for the weights
  const auto weights = options.weights == gpu::weight_format::fp8 ? "fp8" : numbers;
  return chosen_engine{*std::move(engine), *plan, "cuda", weights, numbers, numbers, options.adapter_bytes};
}

}  // namespace lorica
