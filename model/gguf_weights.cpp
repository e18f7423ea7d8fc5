#include <cmath>

#include "files/read_file.hpp"
#include "model/config_checks.hpp"
#include "model/families.hpp"
#include "model/gguf_config.hpp"
#include "model/gguf_parts.hpp"
#include "model/mapped_weights.hpp"

namespace lorica {
namespace {

error in_file(const std::string& name, const error& e) {
  return refuse_model(name + ": " + e.text);
}

tensor_table list_tensors(const gguf_parts& parts) {
  tensor_table out;
  for (std::size_t i = 0; i < parts.data.size(); ++i) {
    auto& t = parts.header.tensors[i];
    // Extents run fastest first; shapes here as in PyTorch.
    std::vector<std::uint64_t> shape(t.extent.rend() - t.dimensions, t.extent.rend());
    out.add(std::string(t.name), {std::move(shape), t.type, parts.data[i]});
  }
  return out;
}

// One positive number per pair of rotary dimensions; empty when there is no such tensor.
result<std::vector<float>> take_factors(tensor_table& table, const std::string& name,
                                        std::uint32_t rotary_dim) {
  if (!table.has(name)) return std::vector<float>();
  auto stored = table.take_vector(name, rotary_dim / 2);
  if (!stored) return stored.error();
  std::vector<float> out(rotary_dim / 2);
  stored->read_rows(0, out);
  for (auto factor : out)
    if (!std::isfinite(factor) || factor < 1e-6f)
      return refuse_model("tensor " + name + " holds a number that divides nothing");
  return out;
}

// Llama 3's scaling comes as one divisor per frequency, longrope's as two sets of factors.
result<void> take_rope(tensor_table& table, const model_config& m, rope_config& rope) {
  auto divisors = take_factors(table, "rope_freqs.weight", m.rotary_dim);
  if (!divisors) return divisors.error();
  auto brief = take_factors(table, "rope_factors_short.weight", m.rotary_dim);
  if (!brief) return brief.error();
  auto lengthy = take_factors(table, "rope_factors_long.weight", m.rotary_dim);
  if (!lengthy) return lengthy.error();
  if (brief->empty() != lengthy->empty())
    return refuse_model("of rope_factors_short.weight and rope_factors_long.weight one is missing");
  rope.divisors = *std::move(divisors);
  if (brief->empty()) return {};
  rope.kind = rope_config::scaling::longrope;
  rope.short_factor = *std::move(brief);
  rope.long_factor = *std::move(lengthy);
  return {};
}

// A bias has the row order of its matrix, but as one row; views cannot express that, so it is rewritten.
std::vector<float> half_split(const tensor_view& bias, std::uint32_t heads) {
  std::vector<float> stored(static_cast<std::size_t>(bias.cols));
  bias.read_rows(0, stored);
  std::vector<float> out(stored.size());
  const std::size_t head_dim = stored.size() / heads;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t in_head = i % head_dim;
    out[i] = stored[i - in_head + 2 * (in_head % (head_dim / 2)) + in_head / (head_dim / 2)];
  }
  return out;
}

}  // namespace

result<std::shared_ptr<const model_weights>> open_gguf_model(const std::string& path) {
  const std::string name(file_name(path));
  auto parts = open_gguf_parts(path);
  if (!parts) return parts.error();
  auto config = read_gguf_config(parts->header);
  if (!config) return in_file(name, config.error());
  if (config->name.empty()) config->name = parts->name;

  auto table = list_tensors(*parts);
  if (auto rope = take_rope(table, *config, config->rope); !rope) return in_file(name, rope.error());
  auto tensors = assemble_model(std::move(table), gguf_naming(), *config);
  if (!tensors) return in_file(name, tensors.error());

  rewritten_tensors rewritten;
  auto rewrite = [&](tensor_view& bias, std::uint32_t heads) {
    if (bias) bias = rewritten.keep(half_split(bias, heads));
  };
  if (family_of(config->arch).permuted_gguf)
    for (auto& layer : tensors->layers) {
      layer.q.permuted_heads = config->heads;
      layer.k.permuted_heads = config->kv_heads;
      rewrite(layer.q_bias, config->heads);
      rewrite(layer.k_bias, config->kv_heads);
    }
  return std::shared_ptr<const model_weights>(std::make_shared<mapped_weights>(
      *std::move(config), *std::move(tensors), std::move(parts->files), std::move(rewritten)));
}

}  // namespace lorica
