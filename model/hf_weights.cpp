#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "core/json.hpp"
#include "files/mapped_file.hpp"
#include "files/read_file.hpp"
#include "files/safetensors.hpp"
#include "model/config_checks.hpp"
#include "model/hf_config.hpp"
#include "model/mapped_weights.hpp"

namespace lorica {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_config = std::size_t{4} << 20;
constexpr std::size_t largest_index = std::size_t{64} << 20;
constexpr std::size_t most_shards = 1'024;

/// File name -> tensors to take from it; an empty list takes all.
using shard_list = std::map<std::string, std::vector<std::string>>;

result<value> read_json(const fs::path& path, std::size_t max_bytes) {
  auto text = read_file(path.string(), max_bytes);
  if (!text) return text.error();
  auto parsed = parse_json(*text, {max_bytes, 32, 1'000'000});
  if (!parsed) return refuse_model(path.filename().string() + ": " + parsed.error().text);
  return parsed;
}

// A link that leads nowhere counts: reading it then tells what is wrong, instead of taking it as absent.
bool is_there(const fs::path& path) {
  std::error_code problem;
  return fs::symlink_status(path, problem).type() != fs::file_type::not_found;
}

// The index is part of the download: its file names must not lead out of the directory.
bool is_plain_shard(std::string_view name) {
  auto bad = [](unsigned char c) { return c == '/' || c == '\\' || c < 0x20 || c == 0x7f; };
  return name.size() <= 255 && name.ends_with(".safetensors") && name.front() != '.' &&
         std::none_of(name.begin(), name.end(), bad);
}

result<shard_list> list_shards(const fs::path& directory) {
  const std::string single = "model.safetensors";
  const std::string index_name = single + ".index.json";
  if (is_there(directory / single)) return shard_list{{single, {}}};
  if (!is_there(directory / index_name))
    return refuse_model("the model's directory has neither " + single + " nor " + index_name);
  auto index = read_json(directory / index_name, largest_index);
  if (!index) return index.error();
  auto map = index->find("weight_map");
  if (!map || !map->as_object() || map->as_object()->empty())
    return refuse_model(index_name + ": weight_map is missing or empty");
  shard_list out;
  for (auto& [tensor, file] : *map->as_object()) {
    if (!file.as_string() || !is_plain_shard(*file.as_string()))
      return refuse_model(index_name +
                          ": weight_map holds something else than plain names of .safetensors files");
    out[*file.as_string()].push_back(tensor);
    if (out.size() > most_shards)
      return refuse_model(index_name + ": more than " + std::to_string(most_shards) + " files");
  }
  return out;
}

std::optional<tensor_type> served_type(std::string_view dtype) {
  for (auto type : {tensor_type::f32, tensor_type::f16, tensor_type::bf16})
    if (to_string(type) == dtype) return type;
  return std::nullopt;
}

// Buffers that old checkpoints carry and that are computed, and the copy of a tied head.
bool is_redundant(std::string_view name, const model_config& config) {
  return name.ends_with(".rotary_emb.inv_freq") ||
         (config.tied_head && name == hugging_face_naming(config.arch).head);
}

result<void> add_tensor(tensor_table& table, const safetensors_tensor& t, std::span<const std::byte> file) {
  auto type = served_type(t.dtype);
  if (!type)
    return refuse_model("tensor " + t.name + " is stored as " + t.dtype + "; served are F32, F16 and BF16");
  auto bytes = file.subspan(static_cast<std::size_t>(t.begin), static_cast<std::size_t>(t.end - t.begin));
  if (!table.add(t.name, {t.shape, *type, bytes}))
    return refuse_model("tensor " + t.name + " is there twice");
  return {};
}

result<void> add_shard(tensor_table& table, const std::vector<std::string>& wanted,
                       const model_config& config, std::span<const std::byte> file) {
  auto header = parse_safetensors(file, file.size());
  if (!header) return header.error();
  for (auto& name : wanted)
    if (!header->find(name)) return refuse_model("tensor " + shown(name) + " of the index is missing");
  // Tensors that the index does not list belong to nobody; transformers does not read them either.
  auto listed = [&](const std::string& name) {
    return wanted.empty() || std::binary_search(wanted.begin(), wanted.end(), name);
  };
  for (auto& t : header->tensors) {
    if (!listed(t.name) || is_redundant(t.name, config)) continue;
    if (auto added = add_tensor(table, t, file); !added) return added;
  }
  return {};
}

// Gemma multiplies by 1 + w, in float32.
bool stores_norms_less_one(architecture arch) noexcept {
  return arch == architecture::gemma || arch == architecture::gemma2;
}

void add_one_to_norms(model_tensors& tensors, rewritten_tensors& rewritten) {
  auto add_one = [&](tensor_view& norm) {
    if (!norm) return;
    std::vector<float> row(static_cast<std::size_t>(norm.cols));
    norm.read_rows(0, row);
    for (auto& w : row)
      w += 1.0f;
    norm = rewritten.keep(std::move(row));
  };
  add_one(tensors.final_norm);
  for (auto& layer : tensors.layers)
    for (auto* norm : {&layer.attn_norm, &layer.ffn_norm, &layer.after_attention, &layer.after_ffn})
      add_one(*norm);
}

result<model_config> read_config(const fs::path& directory) {
  auto config = read_json(directory / "config.json", largest_config);
  if (!config) return config.error();
  const fs::path generation_file = directory / "generation_config.json";
  if (!is_there(generation_file)) return read_hf_config(*config, nullptr);
  auto generation = read_json(generation_file, largest_config);
  if (!generation) return generation.error();
  return read_hf_config(*config, &*generation);
}

// The last part of the path as the operator wrote it; a trailing slash or dot names nothing.
std::string public_name(const std::string& directory) {
  std::error_code problem;
  auto path = fs::absolute(directory, problem).lexically_normal();
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

}  // namespace

result<std::shared_ptr<const model_weights>> open_hf_model(const std::string& directory) {
  auto config = read_config(directory);
  if (!config) return config.error();
  config->name = public_name(directory);
  auto shards = list_shards(directory);
  if (!shards) return shards.error();
  tensor_table table;
  std::vector<std::shared_ptr<const mapped_file>> files;
  for (auto& [name, wanted] : *shards) {
    auto file = mapped_file::open((fs::path(directory) / name).string());
    if (!file) return file.error();
    std::sort(wanted.begin(), wanted.end());
    if (auto added = add_shard(table, wanted, *config, (*file)->bytes()); !added)
      return refuse_model(name + ": " + added.error().text);
    files.push_back(*std::move(file));
  }
  auto tensors = assemble_model(std::move(table), hugging_face_naming(config->arch), *config);
  if (!tensors) return tensors.error();
  rewritten_tensors rewritten;
  if (stores_norms_less_one(config->arch)) add_one_to_norms(*tensors, rewritten);
  return std::shared_ptr<const model_weights>(std::make_shared<mapped_weights>(
      *std::move(config), *std::move(tensors), std::move(files), std::move(rewritten)));
}

}  // namespace lorica
