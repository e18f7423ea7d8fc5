#include <fmt/core.h>

#include <algorithm>

#include "actors/runtime.hpp"

namespace lorica {
namespace {

error refused(const char* name, std::uint64_t value, std::uint64_t most, const char* why) {
  return fail(errc::bad_config, fmt::format("{} is {}, but {} is {}", name, value, why, most));
}

}  // namespace

result<runtime_limits> decide_limits(const runtime_options& o, const executor_limits& engine,
                                     const model_config& model) {
  runtime_limits out;
  auto pool = std::uint64_t{engine.blocks} * engine.block_tokens;
  auto longest = std::min<std::uint64_t>({pool, engine.max_positions, model.max_positions});
  if (longest < 2)
    return fail(errc::bad_config,
                fmt::format("The KV pool holds {} tokens; a request needs at least 2", longest));
  if (o.max_total_tokens > longest)
    return refused("max-total-tokens", o.max_total_tokens, longest,
                   "the longest request that model and KV pool take");
  out.max_total_tokens = o.max_total_tokens ? o.max_total_tokens : static_cast<std::uint32_t>(longest);
  out.max_input_tokens = o.max_input_tokens ? o.max_input_tokens : out.max_total_tokens - 1;
  if (out.max_input_tokens >= out.max_total_tokens)
    return fail(errc::bad_config, fmt::format("max-input-tokens is {}; it must be below max-total-tokens, {}",
                                              out.max_input_tokens, out.max_total_tokens));
  if (o.max_sequences > engine.max_sequences)
    return refused("max-batch-size", o.max_sequences, engine.max_sequences, "the most the executor takes");
  out.max_sequences = o.max_sequences ? o.max_sequences : engine.max_sequences;
  out.max_batch_prefill_tokens = o.max_batch_prefill_tokens ? o.max_batch_prefill_tokens : engine.max_rows;
  out.max_batch_prefill_tokens = std::min(out.max_batch_prefill_tokens, engine.max_rows);
  if (o.max_batch_total_tokens != 0 && o.max_batch_total_tokens < out.max_total_tokens)
    return fail(errc::bad_config,
                fmt::format("max-batch-total-tokens is {}; it must be at least max-total-tokens, {}",
                            o.max_batch_total_tokens, out.max_total_tokens));
  out.max_batch_total_tokens = o.max_batch_total_tokens ? o.max_batch_total_tokens : pool;
  return out;
}

}  // namespace lorica
