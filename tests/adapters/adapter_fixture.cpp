#include "tests/adapters/adapter_fixture.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

namespace lorica {

fixture_tensor random_tensor(std::string name, std::vector<std::uint64_t> shape, std::uint32_t seed) {
  auto out = filled_tensor(std::move(name), std::move(shape), 0);
  std::mt19937 random(seed);
  for (std::size_t at = 0; at < out.bytes.size(); at += sizeof(float)) {
    auto number = static_cast<float>(static_cast<std::int32_t>(random() >> 8) - (1 << 23)) * 0x1p-23f;
    std::memcpy(out.bytes.data() + at, &number, sizeof number);
  }
  return out;
}

fixture_tensor filled_tensor(std::string name, std::vector<std::uint64_t> shape, float number) {
  std::size_t elements = 1;
  for (auto size : shape)
    elements *= size;
  std::string bytes(elements * sizeof number, '\0');
  for (std::size_t at = 0; at < bytes.size(); at += sizeof number)
    std::memcpy(bytes.data() + at, &number, sizeof number);
  return {std::move(name), "F32", std::move(shape), std::move(bytes)};
}

std::string safetensors_image(const std::vector<fixture_tensor>& tensors) {
  std::ostringstream header;
  std::string data;
  const char* comma = "{";
  for (const auto& tensor : tensors) {
    header << comma << '"' << tensor.name << R"(":{"dtype":")" << tensor.dtype << R"(","shape":[)";
    for (std::size_t i = 0; i < tensor.shape.size(); ++i)
      header << (i > 0 ? "," : "") << tensor.shape[i];
    header << R"(],"data_offsets":[)" << data.size() << ',' << data.size() + tensor.bytes.size() << "]}";
    data += tensor.bytes;
    comma = ",";
  }
  header << (tensors.empty() ? "{}" : "}");
  auto text = header.str();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::uint64_t length = text.size();
  std::string out(sizeof length, '\0');
  std::memcpy(out.data(), &length, sizeof length);
  return out + text + data;
}

std::string fixture_adapter::config_text() const {
  std::ostringstream out;
  const char* comma = "{";
  for (const auto& [key, text] : config) {
    out << comma << '"' << key << "\":" << text;
    comma = ",";
  }
  out << (config.empty() ? "{}" : "}");
  return out.str();
}

fixture_tensor& fixture_adapter::tensor(std::string_view part) {
  for (auto& tensor : tensors)
    if (tensor.name.find(part) != std::string::npos) return tensor;
  throw std::logic_error("no such tensor");
}

model_config fixture_base() {
  model_config base;
  base.name = "tiny";
  base.layers = 2;
  base.hidden = 16;
  base.heads = 4;
  base.kv_heads = 2;
  base.head_dim = 4;
  base.ffn = 24;
  base.vocab = 32;
  base.max_positions = 64;
  return base;
}

void add_module(fixture_adapter& adapter, const std::string& path, std::uint64_t rank, std::uint64_t in,
                std::uint64_t out, std::uint32_t seed) {
  auto name = "base_model.model." + path;
  adapter.tensors.push_back(random_tensor(name + ".lora_A.weight", {rank, in}, seed));
  adapter.tensors.push_back(random_tensor(name + ".lora_B.weight", {out, rank}, seed + 1));
}

namespace {

void add_vectors(fixture_adapter& adapter, const std::string& suffix) {
  const auto tensors = adapter.tensors;
  for (auto& tensor : tensors) {
    auto at = tensor.name.find(".lora_B.weight");
    if (at == std::string::npos) continue;
    auto seed = static_cast<std::uint32_t>(adapter.tensors.size());
    adapter.tensors.push_back(random_tensor(tensor.name.substr(0, at) + suffix, {tensor.shape[0]}, seed));
  }
}

}  // namespace

void add_biases(fixture_adapter& adapter) {
  adapter.config["lora_bias"] = "true";
  add_vectors(adapter, ".lora_B.bias");
}

void add_magnitudes(fixture_adapter& adapter) {
  adapter.config["use_dora"] = "true";
  add_vectors(adapter, ".lora_magnitude_vector");
}

void add_outer(fixture_adapter& adapter) {
  adapter.config["target_modules"] = R"(["v_proj","q_proj","embed_tokens","lm_head"])";
  adapter.config["rank_pattern"] = R"({"lm_head":3})";
  const std::string embed = "base_model.model.model.embed_tokens.lora_embedding_";
  adapter.tensors.push_back(random_tensor(embed + "A", {4, 32}, 71));
  adapter.tensors.push_back(random_tensor(embed + "B", {16, 4}, 72));
  add_module(adapter, "lm_head", 3, 16, 32, 73);
}

void add_copies(fixture_adapter& adapter) {
  adapter.config["modules_to_save"] = R"(["lm_head","embed_tokens"])";
  adapter.tensors.push_back(random_tensor("base_model.model.lm_head.weight", {32, 16}, 75));
  adapter.tensors.push_back(random_tensor("base_model.model.model.embed_tokens.weight", {32, 16}, 76));
}

fixture_adapter good_adapter() {
  fixture_adapter out;
  out.config = {{"peft_type", "\"LORA\""},
                {"task_type", "\"CAUSAL_LM\""},
                {"r", "4"},
                {"lora_alpha", "8"},
                {"bias", "\"none\""},
                {"target_modules", "[\"v_proj\",\"q_proj\"]"}};
  for (std::uint32_t layer : {0u, 1u}) {
    auto path = "model.layers." + std::to_string(layer) + ".self_attn.";
    add_module(out, path + "q_proj", 4, 16, 16, 10 * layer + 1);
    add_module(out, path + "v_proj", 4, 16, 8, 10 * layer + 5);
  }
  return out;
}

scratch_directory::scratch_directory() {
  auto pattern = (std::filesystem::temp_directory_path() / "lorica-adapters-XXXXXX").string();
  if (!::mkdtemp(pattern.data())) throw std::runtime_error("no scratch directory");
  path_ = pattern;
}

scratch_directory::~scratch_directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void scratch_directory::write(const std::string& name, std::string_view content) const {
  // Writing over a file makes some file systems wait for the disk; a new one does not.
  std::filesystem::remove(path_ + "/" + name);
  std::ofstream file(path_ + "/" + name, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.flush()) throw std::runtime_error("scratch file not written");
}

void scratch_directory::write(const fixture_adapter& adapter) const {
  write("adapter_config.json", adapter.config_text());
  write("adapter_model.safetensors", safetensors_image(adapter.tensors));
}

result<loaded_adapter> read_back(const fixture_adapter& adapter, const reader_limits& limits) {
  scratch_directory place;
  place.write(adapter);
  return read_adapter(place.path(), fixture_base(), limits, {});
}

}  // namespace lorica
