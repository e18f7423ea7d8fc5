#include <cmath>
#include <filesystem>

#include "files/dequantise.hpp"
#include "files/gguf.hpp"
#include "files/read_file.hpp"
#include "model/config_checks.hpp"
#include "model/gguf_config.hpp"
#include "model/mapped_weights.hpp"

namespace lorica {
namespace {

error in_file(const std::string& name, const error& e) {
  return refuse_model(name + ": " + e.text);
}

tensor_table list_tensors(const gguf_header& header, std::span<const std::byte> file) {
  tensor_table out;
  for (auto& t : header.tensors) {
    // Extents run fastest first; shapes here as in PyTorch.
    std::vector<std::uint64_t> shape(t.extent.rend() - t.dimensions, t.extent.rend());
    auto bytes = file.subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.bytes));
    out.add(std::string(t.name), {std::move(shape), t.type, bytes});
  }
  return out;
}

// Llama 3's scaling comes as one divisor per frequency.
result<std::vector<float>> take_divisors(tensor_table& table, std::uint32_t head_dim) {
  const std::string name = "rope_freqs.weight";
  if (!table.has(name)) return std::vector<float>();
  auto stored = table.take_vector(name, head_dim / 2);
  if (!stored) return stored.error();
  std::vector<float> out(head_dim / 2);
  stored->read_rows(0, out);
  for (auto divisor : out)
    if (!std::isfinite(divisor) || divisor <= 0)
      return refuse_model("tensor " + name + " holds a number that divides nothing");
  return out;
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

tensor_view view_of(const std::vector<float>& row) {
  return {tensor_type::f32, 1, row.size(), std::as_bytes(std::span(row)), 0};
}

}  // namespace

result<std::shared_ptr<const model_weights>> open_gguf_model(const std::string& path) {
  const std::string name(file_name(path));
  auto file = mapped_file::open(path);
  if (!file) return file.error();
  auto header = parse_gguf((*file)->bytes());
  if (!header) return in_file(name, header.error());
  auto config = read_gguf_config(*header);
  if (!config) return in_file(name, config.error());
  if (config->name.empty()) config->name = std::filesystem::path(name).stem().string();

  auto table = list_tensors(*header, (*file)->bytes());
  auto divisors = take_divisors(table, config->head_dim);
  if (!divisors) return in_file(name, divisors.error());
  config->rope.divisors = *std::move(divisors);
  auto tensors = assemble_model(std::move(table), gguf_naming(), *config);
  if (!tensors) return in_file(name, tensors.error());

  std::vector<std::vector<float>> rewritten;
  // Views point into the vectors' own storage, which moving a vector keeps in place.
  auto rewrite = [&](tensor_view& bias, std::uint32_t heads) {
    if (!bias) return;
    rewritten.push_back(half_split(bias, heads));
    bias = view_of(rewritten.back());
  };
  // Only llama files are stored with adjacent pairs; qwen2 files keep the Hugging Face order.
  if (config->arch == architecture::llama)
    for (auto& layer : tensors->layers) {
      layer.q.permuted_heads = config->heads;
      layer.k.permuted_heads = config->kv_heads;
      rewrite(layer.q_bias, config->heads);
      rewrite(layer.k_bias, config->kv_heads);
    }
  std::vector<std::shared_ptr<const mapped_file>> files = {*std::move(file)};
  return std::shared_ptr<const model_weights>(std::make_shared<mapped_weights>(
      *std::move(config), *std::move(tensors), std::move(files), std::move(rewritten)));
}

}  // namespace lorica
