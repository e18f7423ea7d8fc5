#include "app/memory_choice.hpp"

#include <algorithm>

#include "core/log.hpp"

namespace lorica {

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

}  // namespace lorica
