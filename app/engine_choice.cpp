#include "app/engine_choice.hpp"

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "app/cuda_engine.hpp"
#include "app/memory_choice.hpp"
#include "app/packed_place.hpp"
#include "core/log.hpp"
#include "cpu/executor.hpp"
#include "cpu/mode.hpp"
#include "gpu/device.hpp"

namespace lorica {
namespace {

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

/// Tells of settings that ask for what a CPU has no use for.
void tell_of_unused(const serve_settings& s) {
  for (auto& setting : unused_on_cpu(s))
    log_warn("{} has no effect: the CPU computes", setting);
}

result<chosen_engine> make_on_cpu(const serve_settings& s, const std::shared_ptr<const model_weights>& model,
                                  std::uint32_t token_ids) {
  tell_of_unused(s);
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

std::vector<std::string> unused_on_cpu(const serve_settings& s) {
  std::vector<std::string> out;
  if (s.cuda_memory_fraction != 1) out.emplace_back("--cuda-memory-fraction");
  if (s.cuda_graphs) out.emplace_back("--cuda-graphs");
  if (s.deterministic) out.emplace_back("--deterministic");
  return out;
}

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
