#include "gpu/sizes.hpp"

#include <algorithm>
#include <string>

#include "gpu/attention.hpp"
#include "gpu/known_tokens.hpp"
#include "gpu/kv_cache.hpp"
#include "gpu/sampling.hpp"
#include "gpu/weights.hpp"

namespace lorica::gpu {
namespace {

constexpr std::uint32_t most_recorded_rows = 256;

/// Rows are the second or third dimension of grids (CUDA programming guide, compute capabilities).
constexpr std::uint32_t most_rows = 65535;

/// More rows than these fill every device without sharing their positions out.
constexpr std::uint32_t most_partial_rows = 64;

/// Few rows are a few sizes, more rows every sixteenth.
std::vector<std::uint32_t> graph_rows_for(const gpu_options& o) {
  if (!o.graphs || !o.graph_rows.empty()) return o.graphs ? o.graph_rows : std::vector<std::uint32_t>();
  std::vector<std::uint32_t> out;
  const auto most = std::min({o.max_sequences, o.max_rows, most_recorded_rows});
  for (std::uint32_t rows = 1; rows < most; rows = rows < 16 ? rows * 2 : rows + 16)
    out.push_back(rows);
  out.push_back(most);
  return out;
}

std::uint64_t adapter_bytes(const adapter_slots_options& o) {
  const std::uint64_t rows = std::uint64_t{o.slots} + 2;
  return arena::charged(o.bytes) + arena::charged(rows * groups_of(o.layers) * sizeof(adapter_group)) +
         arena::charged(rows * sizeof(adapter_embedding));
}

}  // namespace

step_sections::step_sections(const executor_sizes& sizes)
    : plan(layout, sizes.limits), sampler(layout, sizes.sampling) {
  known_tokens::lay_out(layout, sizes.limits.max_positions);
}

result<void> check(const gpu_options& o, const model_config& m) {
  const auto bad = [](std::string text) { return fail(errc::bad_config, std::move(text)); };
  if (o.block_tokens == 0 || o.block_tokens % 16 != 0)
    return bad("block_tokens: " + std::to_string(o.block_tokens) + " is not a multiple of 16");
  if (o.blocks == 0) return bad("blocks: the KV cache needs at least one block");
  if (o.max_sequences == 0 || o.max_rows == 0) return bad("max_sequences and max_rows: must be at least 1");
  if (o.max_rows > most_rows)
    return bad("max_rows: " + std::to_string(o.max_rows) + " is above " + std::to_string(most_rows) +
               ", the most that a launch can have");
  if (o.max_positions == 0 || o.max_positions > m.max_positions)
    return bad("max_positions: " + std::to_string(o.max_positions) + " is not in [1, " +
               std::to_string(m.max_positions) + "], what the model was made for");
  if (o.token_ids > m.vocab)
    return bad("token_ids: " + std::to_string(o.token_ids) + " is above the vocabulary of " +
               std::to_string(m.vocab));
  const auto most_recorded = std::min(o.max_sequences, o.max_rows);
  std::uint32_t before = 0;
  for (auto rows : o.graph_rows) {
    if (rows <= before || rows > most_recorded)
      return bad("graph_rows: " + std::to_string(rows) + " is not above " + std::to_string(before) +
                 " and at most " + std::to_string(most_recorded));
    before = rows;
  }
  if (o.adapters == 0) return bad("adapters: must be at least 1");
  if (m.head_dim % 2 != 0 || m.head_dim > max_head_dim)
    return fail(errc::bad_model, "head_dim: " + std::to_string(m.head_dim) + " is odd or above " +
                                     std::to_string(max_head_dim));
  if (m.vocab > most_vocab)
    return fail(errc::bad_model,
                "a vocabulary of " + std::to_string(m.vocab) + " is above " + std::to_string(most_vocab));
  return {};
}

executor_sizes sizes_of(const gpu_options& o, const model_config& m) {
  executor_sizes out;
  auto& l = out.limits;
  l.block_tokens = o.block_tokens;
  l.blocks = o.blocks;
  l.max_sequences = o.max_sequences;
  l.max_rows = o.max_rows;
  l.max_positions = o.max_positions;
  l.max_adapters = o.adapters;
  out.graph_rows = graph_rows_for(o);
  out.same_products = o.same_products;
  out.measure = o.measure;
  out.low_rank.width = o.adapter_ranks;
  out.low_rank.deepest = std::max({m.hidden, m.ffn, m.heads * m.head_dim});
  const auto fit = o.logits_bytes / (std::uint64_t{m.vocab} * sizeof(float));
  const std::uint64_t recorded = out.graph_rows.empty() ? 1 : out.graph_rows.back();
  out.memory.rows = o.max_rows;
  out.memory.logits_rows =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(std::max(fit, recorded), o.max_rows));
  out.memory.low_rank = out.low_rank.floats(o.max_rows);
  out.memory.partial_rows = std::min({o.max_sequences, o.max_rows, most_partial_rows});
  out.memory.partials =
      attention_partial_floats(out.memory.partial_rows, m.heads, m.head_dim, o.max_positions);
  if (o.weights == weight_format::fp8) out.memory.code_width = out.low_rank.deepest;
  out.sampling.readings = o.max_rows;
  out.sampling.logits_rows = out.memory.logits_rows;
  out.sampling.vocab = m.vocab;
  out.sampling.token_ids = o.token_ids;
  out.adapters.layers = m.layers;
  out.adapters.slots = o.adapters;
  out.adapters.bytes = o.adapter_bytes;
  out.adapters.slab_bytes =
      std::min(out.adapters.slab_bytes, std::max<std::uint64_t>(o.adapter_bytes / 64, 4096) / 256 * 256);
  return out;
}

std::uint64_t gpu_kv_bytes_per_token(const model_config& m) noexcept {
  return kv_bytes_per_token(m);
}

gpu_memory gpu_memory_of(const model_weights& model, const gpu_options& o) {
  const auto& m = model.config();
  const auto sizes = sizes_of(o, m);
  gpu_memory out{};
  const auto part = [&out](memory_part p) -> std::uint64_t& { return out[static_cast<std::size_t>(p)]; };
  part(memory_part::weights) = device_weights::bytes(model, o.weights);
  part(memory_part::kv) = kv_cache::bytes(m, o.blocks, o.block_tokens);
  part(memory_part::adapters) = adapter_bytes(sizes.adapters);
  part(memory_part::workspace) =
      workspace::bytes(m, sizes.memory) + arena::charged(step_sections(sizes).layout.bytes()) +
      step_sampler::device_bytes(sizes.sampling) + arena::charged(o.product_bytes) +
      arena::charged(token_history::device_bytes(o.max_sequences, o.max_positions));
  return out;
}

}  // namespace lorica::gpu
