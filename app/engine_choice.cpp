#include "app/engine_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "app/packed_place.hpp"
#include "core/log.hpp"
#include "cpu/executor.hpp"
#include "cpu/mode.hpp"
#include "gpu/device.hpp"
#include "gpu/executor.hpp"

namespace lorica {
namespace {

/// Of the device's free memory; the rest is for the driver, its code and graphs.
constexpr double taken_share = 0.92;

/// Rows of the device's table of adapters.
constexpr std::uint32_t most_device_adapters = 2048;

cpu_mode mode_for(compute_dtype wanted, const model_weights& weights) {
  switch (wanted) {
    case compute_dtype::float32: return cpu_dtype::float32;
    case compute_dtype::bfloat16: return cpu_dtype::bfloat16;
    case compute_dtype::int8: return {cpu_dtype::bfloat16, true};
    default: return mode_like(weights);
  }
}

/// The numbers of `mode`, as a setting names them.
compute_dtype numbers_of(cpu_mode mode) noexcept {
  return mode.dtype == cpu_dtype::float32 ? compute_dtype::float32 : compute_dtype::bfloat16;
}

/// `mode` with adapters kept as is wanted: as codes or as the rest of what it computes with.
result<cpu_mode> with_adapters(cpu_mode mode, compute_dtype wanted) {
  const auto own = numbers_of(mode);
  const bool codes = wanted == compute_dtype::int8 || (wanted == compute_dtype::automatic && mode.int8);
  if (codes && !mode.int8)
    return fail(errc::bad_config,
                fmt::format("--adapter-dtype int8: needs --dtype int8; this model is computed "
                            "in {}, where adapters are too",
                            to_string(mode)));
  if (!codes && wanted != compute_dtype::automatic && wanted != own)
    return fail(errc::bad_config,
                fmt::format("--adapter-dtype: with --dtype {} it can be {}{} or auto", to_string(mode),
                            mode.int8 ? "int8, " : "", to_string(mode.dtype)));
  return cpu_mode(mode.dtype, mode.int8, codes, mode.int8_kv);
}

/// `mode` with keys and values kept as is wanted: as codes or as the rest of what it computes with.
result<cpu_mode> with_kv(cpu_mode mode, compute_dtype wanted) {
  const bool exact = mode.dtype == cpu_dtype::float32;
  const bool codes = wanted == compute_dtype::int8;
  if (codes ? exact : wanted != compute_dtype::automatic && wanted != numbers_of(mode))
    return fail(errc::bad_config, fmt::format("--kv-cache-dtype: with --dtype {} it can be {}{} or auto",
                                              to_string(mode), exact ? "" : "int8, ", to_string(mode.dtype)));
  return cpu_mode(mode.dtype, mode.int8, mode.int8_adapters, codes);
}

isa to_isa(instruction_set wanted) noexcept {
  switch (wanted) {
    case instruction_set::avx512: return isa::avx512;
    case instruction_set::avx_vnni: return isa::avx_vnni;
    case instruction_set::avx2: return isa::avx2;
    default: return isa::portable;
  }
}

/// What bounds adapters where host and device share their memory, and where both must hold them.
std::uint64_t adapter_limit(const serve_settings& s) {
  return s.adapter_device_memory == 0 ? s.adapter_host_memory
                                      : std::min(s.adapter_host_memory, s.adapter_device_memory);
}

kv_request kv_request_of(const serve_settings& s, const model_config& model, std::uint32_t block_tokens) {
  kv_request r;
  r.block_tokens = block_tokens;
  r.max_sequences = s.max_batch_size;
  r.max_positions = model.max_positions;
  r.kv_memory = s.kv_memory.value_or(0);
  r.max_total_tokens = s.max_total_tokens.value_or(0);
  return r;
}

void tell_of_kv(const kv_plan& plan, const kv_request& r, std::string_view numbers) {
  log_info("KV cache in {}: {} blocks of {} tokens, {} MiB; longest request {} tokens", numbers, plan.blocks,
           r.block_tokens, plan.blocks * r.bytes_per_token * r.block_tokens >> 20, plan.max_total_tokens);
}

result<chosen_engine> make_on_cpu(const serve_settings& s, const std::shared_ptr<const model_weights>& model,
                                  std::uint32_t token_ids) {
  auto mode = with_adapters(mode_for(s.dtype, *model), s.adapter_dtype);
  if (mode) mode = with_kv(*mode, s.kv_cache_dtype);
  if (!mode) return mode.error();
  cpu_options options;
  options.mode = *mode;
  if (s.instructions) options.instructions = to_isa(*s.instructions);
  options.threads = s.threads.value_or(0);
  options.max_sequences = s.max_batch_size;
  options.max_rows = s.max_batch_prefill_tokens + s.max_batch_size;
  auto r = kv_request_of(s, model->config(), options.block_tokens);
  r.available = available_memory();
  r.bytes_per_token = kv_bytes_per_token(model->config(), options.mode);
  auto plan = plan_kv(r);
  if (!plan) return std::move(plan).error();
  tell_of_kv(*plan, r, kv_format(options.mode));
  options.blocks = plan->blocks;
  options.max_positions = plan->max_total_tokens;
  options.token_ids = token_ids;
  if (auto place = packed_place(s.packed_cache, cache_places_here()); !place.empty())
    options.cache.emplace(std::move(place));
  options.tell = [](log_level level, const std::string& line) { write_log(level, line); };
  auto engine = make_cpu_executor(model, options);
  if (!engine) return std::move(engine).error();
  return chosen_engine{*std::move(engine),
                       *plan,
                       "cpu",
                       std::string(to_string(*mode)),
                       std::string(adapter_format(*mode)),
                       std::string(kv_format(*mode)),
                       adapter_limit(s)};
}

/// What is left for keys and values once everything else has its memory.
result<std::uint64_t> left_for_kv(const model_weights& model, const gpu::gpu_options& options,
                                  std::uint64_t free) {
  const auto needed = gpu::gpu_memory_of(model, options);
  const auto of = [&](memory_part p) { return needed[static_cast<std::size_t>(p)]; };
  const auto others = of(memory_part::weights) + of(memory_part::adapters) + of(memory_part::workspace);
  if (others < free) return free - others;
  return fail(
      errc::out_of_memory,
      fmt::format("the device has {} MiB to give; weights need {}, adapters {} (--adapter-device-memory), "
                  "workspace {} (--max-batch-prefill-tokens, --max-batch-size), and nothing is left for "
                  "keys and values",
                  free >> 20, of(memory_part::weights) >> 20, of(memory_part::adapters) >> 20,
                  of(memory_part::workspace) >> 20));
}

result<chosen_engine> make_on_cuda(const serve_settings& s, const std::shared_ptr<const model_weights>& model,
                                   std::uint32_t token_ids) {
  const auto& m = model->config();
  gpu::gpu_options options;
  options.max_sequences = s.max_batch_size;
  options.max_rows = s.max_batch_prefill_tokens + s.max_batch_size;
  options.token_ids = token_ids;
  options.adapters = most_device_adapters;
  if (s.dtype == compute_dtype::fp8) options.weights = gpu::weight_format::fp8;
  options.max_positions = std::min(s.max_total_tokens.value_or(m.max_positions), m.max_positions);
  auto opened = gpu::device::open(options.device);
  if (!opened) return opened.error();
  if (auto ok = check_weights(options.weights, opened->properties()); !ok)
    return fail(ok.error().code, "--dtype: " + ok.error().text);
  auto all_free = opened->free_bytes();
  if (!all_free) return all_free.error();
  const auto free = static_cast<std::uint64_t>(static_cast<double>(*all_free) * taken_share);
  options.adapter_bytes = std::min(adapter_limit(s), free / 4);
  auto left = left_for_kv(*model, options, free);
  if (!left) return left.error();
  auto r = kv_request_of(s, m, options.block_tokens);
  r.available = *left;
  r.share = 1;
  r.bytes_per_token = gpu::gpu_kv_bytes_per_token(m);
  auto plan = plan_kv(r);
  if (!plan) return std::move(plan).error();
  const std::string numbers = "bfloat16";  // but for the weights
  tell_of_kv(*plan, r, numbers);
  options.blocks = plan->blocks;
  options.max_positions = plan->max_total_tokens;
  auto engine = gpu::make_gpu_executor(model, options);
  if (!engine) return std::move(engine).error();
  const auto weights = options.weights == gpu::weight_format::fp8 ? "fp8" : numbers;
  return chosen_engine{*std::move(engine), *plan, "cuda", weights, numbers, numbers, options.adapter_bytes};
}

/// The setting that only the CPU has, and what it can be on a CUDA device; empty: none.
std::string only_on_cpu(const serve_settings& s) {
  const auto on_cuda = [](compute_dtype d) {
    return d == compute_dtype::automatic || d == compute_dtype::bfloat16;
  };
  if (!on_cuda(s.dtype) && s.dtype != compute_dtype::fp8)
    return "--dtype: with --device cuda it can be bfloat16, fp8 or auto";
  if (!on_cuda(s.adapter_dtype)) return "--adapter-dtype: with --device cuda it can be bfloat16 or auto";
  if (!on_cuda(s.kv_cache_dtype)) return "--kv-cache-dtype: with --device cuda it can be bfloat16 or auto";
  return {};
}

/// fp8 leaves no choice of what computes.
result<bool> wants_cuda_for_fp8(const serve_settings& s, const std::function<result<void>()>& find_device) {
  constexpr auto on_cpu = "on a CPU it can be auto, float32, bfloat16 or int8";
  if (s.device == device_choice::cpu)
    return fail(errc::bad_config, fmt::format("--dtype fp8: only CUDA devices compute in it; {}", on_cpu));
  if (auto other = only_on_cpu(s); !other.empty())
    return fail(errc::bad_config, other + ", and --dtype fp8 needs one");
  if (auto found = find_device(); !found)
    return fail(found.error().code, fmt::format("--dtype fp8: {}; {}", found.error().text, on_cpu));
  return true;
}

}  // namespace

result<bool> wants_cuda(const serve_settings& s, const std::function<result<void>()>& find_device) {
  if (s.dtype == compute_dtype::fp8) return wants_cuda_for_fp8(s, find_device);
  if (s.device == device_choice::cpu) return false;
  const auto other = only_on_cpu(s);
  if (s.device == device_choice::automatic) return other.empty() && find_device();
  if (!other.empty()) return fail(errc::bad_config, other);
  if (auto found = find_device(); !found)
    return fail(found.error().code, "--device cuda: " + found.error().text);
  return true;
}

result<chosen_engine> make_engine(const serve_settings& s, const std::shared_ptr<const model_weights>& model,
                                  std::uint32_t token_ids) {
  auto cuda = wants_cuda(s, []() -> result<void> {
    auto devices = gpu::list_devices();
    if (!devices) return devices.error();
    return {};
  });
  if (!cuda) return cuda.error();
  return *cuda ? make_on_cuda(s, model, token_ids) : make_on_cpu(s, model, token_ids);
}

}  // namespace lorica
