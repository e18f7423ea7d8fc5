#include "adapters/tensor_names.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "adapters/refusal.hpp"

namespace lorica {
namespace {

using parts = std::vector<std::string_view>;

constexpr std::array<std::string_view, 5> prefixes = {"", "model.", "language_model.",
                                                      "model.language_model.", "language_model.model."};

parts split(std::string_view name) {
  parts out;
  for (std::size_t begin = 0; begin <= name.size();) {
    auto end = std::min(name.find('.', begin), name.size());
    auto part = name.substr(begin, end - begin);
    if (part != "_orig_mod") out.push_back(part);
    begin = end + 1;
  }
  if (out.size() >= 2 && out[0] == "base_model" && out[1] == "model") out.erase(out.begin(), out.begin() + 2);
  return out;
}

std::string joined(const parts& path) {
  std::string out;
  for (auto part : path) {
    if (!out.empty()) out += '.';
    out += part;
  }
  return out;
}

// The modules of the base that may be adapted, for error texts.
std::string served(const model_config& base) {
  std::string out;
  for (auto where : projections_of(base))
    out += (out.empty() ? "" : ", ") + std::string(to_string(where));
  return out + " in the layers of the language model, embed_tokens and lm_head";
}

error no_factor(std::string_view name, const parts& path) {
  auto has = [&](std::string_view part) { return std::find(path.begin(), path.end(), part) != path.end(); };
  auto tensor = "tensor " + shown(name);
  if (has("lora_a") || has("lora_b"))
    return refused(
        refusal::unknown_tensor,
        tensor + " is named as MLX does (and is transposed); convert the adapter to PEFT's format");
  if (has("lora_diag"))
    return refused(refusal::unsupported_field, tensor + " belongs to kasa_config, which is not served");
  if (has("trainable_tokens_delta"))
    return refused(refusal::unsupported_field,
                   tensor + " belongs to trainable_token_indices, which is not served");
  if (!path.empty() && path.back() == "bias")
    return refused(refusal::unsupported_bias, tensor + " is a bias; train with bias \"none\"");
  if (!path.empty() && path.back() == "weight")
    return refused(refusal::unsupported_modules_to_save,
                   tensor + " is a full copy of a module; they are served of embed_tokens and lm_head only");
  return refused(refusal::unknown_tensor,
                 tensor + " is not known; expected are names that end in .lora_A.weight or .lora_B.weight");
}

// The part of the path that says A or B must be followed by `weight`, or by the adapter's name and `weight`;
// a magnitude may stand alone, and so do the matrices of an embedding.
result<lora_factor> read_suffix(std::string_view name, const parts& path, std::size_t at) {
  auto after = path.size() - at - 1;
  bool vector = after == 0 || (after == 1 && !path.back().empty()) ||
                (after == 2 && !path[at + 1].empty() && path.back() == "weight");
  if (vector && path[at] == "lora_magnitude_vector") return lora_factor::magnitude;
  if (vector && path[at] == "lora_embedding_A") return lora_factor::a;
  if (vector && path[at] == "lora_embedding_B") return lora_factor::b;
  bool plain = after == 1 || (after == 2 && !path[at + 1].empty());
  if (plain && path.back() == "weight" && path[at] == "lora_A") return lora_factor::a;
  if (plain && path.back() == "weight" && path[at] == "lora_B") return lora_factor::b;
  if (plain && path.back() == "bias" && path[at] == "lora_B") return lora_factor::bias;
  if (plain && path.back() == "bias" && path[at] == "lora_A")
    return refused(refusal::unsupported_bias,
                   "tensor " + shown(name) + " is a bias of lora_A, which no LoRA has");
  return refused(refusal::unknown_tensor,
                 "tensor " + shown(name) + " is not known; expected are names that end in .lora_A.weight");
}

std::optional<std::uint32_t> layer_number(std::string_view text) {
  std::uint32_t out = 0;
  bool leading_zero = text.size() > 1 && text.front() == '0';  // a second spelling of the same layer
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || leading_zero || failed != std::errc{} || end != text.data() + text.size()) return {};
  return out;
}

std::optional<projection> read_projection(std::string_view block, std::string_view last,
                                          const model_config& base) {
  for (auto where : projections_of(base)) {
    if (last == to_string(where) && block == block_of(where)) return where;
  }
  return std::nullopt;
}

bool begins_factor(std::string_view part) {
  constexpr std::array<std::string_view, 5> known = {"lora_A", "lora_B", "lora_magnitude_vector",
                                                     "lora_embedding_A", "lora_embedding_B"};
  return std::find(known.begin(), known.end(), part) != known.end();
}

// A module outside the layers by the last part of its path.
std::optional<projection> read_outer(std::string_view last) {
  for (auto where : {projection::embed, projection::head})
    if (last == to_string(where)) return where;
  return std::nullopt;
}

// `….weight` and `….base_layer.weight` of a module outside the layers; cuts the path down to the module's.
std::optional<lora_factor> cut_copy(parts& path) {
  if (path.size() < 2 || path.back() != "weight") return std::nullopt;
  bool base = path[path.size() - 2] == "base_layer";
  const auto size = path.size() - (base ? 2 : 1);
  if (size == 0 || !read_outer(path[size - 1])) return std::nullopt;
  path.resize(size);
  return base ? lora_factor::base : lora_factor::copy;
}

std::string prefix_of(const parts& path, std::size_t size) {
  auto out = joined(parts(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(size)));
  return out.empty() ? out : out + '.';
}

bool known_prefix(std::string_view prefix) {
  return std::find(prefixes.begin(), prefixes.end(), prefix) != prefixes.end();
}

// The module that a path means.
std::optional<tensor_place> place_module(const parts& path, const model_config& base) {
  tensor_place out;
  if (auto outer = path.empty() ? std::nullopt : read_outer(path.back())) {
    out.where = *outer;
    out.prefix = prefix_of(path, path.size() - 1);
    bool head = out.where == projection::head;
    bool known = head ? out.prefix.empty() || out.prefix == "language_model." : known_prefix(out.prefix);
    return known ? std::optional(std::move(out)) : std::nullopt;
  }
  if (path.size() < 4 || path[path.size() - 4] != "layers") return std::nullopt;
  auto where = read_projection(path[path.size() - 2], path.back(), base);
  auto layer = layer_number(path[path.size() - 3]);
  out.prefix = prefix_of(path, path.size() - 4);
  if (!where || !layer || !known_prefix(out.prefix)) return std::nullopt;
  out.layer = *layer;
  out.where = *where;
  return out;
}

}  // namespace

result<tensor_place> place_tensor(std::string_view name, const model_config& base) {
  auto path = split(name);
  auto factor = cut_copy(path);
  bool of_embedding = true;
  if (!factor) {
    auto part = std::find_if(path.begin(), path.end(), begins_factor);
    if (part == path.end()) return no_factor(name, path);
    auto at = static_cast<std::size_t>(part - path.begin());
    auto read = read_suffix(name, path, at);
    if (!read) return read.error();
    factor = *read;
    of_embedding = part->starts_with("lora_embedding");
    path.resize(at);
  }
  auto out = place_module(path, base);
  bool fits = out && (*factor > lora_factor::bias || of_embedding == (out->where == projection::embed));
  if (!fits)
    return refused(refusal::unsupported_module, "module " + shown(joined(path)) + " is adapted by tensor " +
                                                    shown(name) + "; served are " + served(base));
  out->factor = *factor;
  return *std::move(out);
}

std::string module_path(std::string_view prefix, std::uint32_t layer, projection where) {
  std::string out(prefix);
  if (!in_layer(where)) return out += to_string(where);
  out += "layers.";
  out += std::to_string(layer);
  out += '.';
  out += block_of(where);
  out += '.';
  out += to_string(where);
  return out;
}

}  // namespace lorica
