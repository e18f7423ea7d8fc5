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
  return out;
}

error no_factor(std::string_view name, const parts& path, const model_config& base) {
  auto has = [&](std::string_view part) { return std::find(path.begin(), path.end(), part) != path.end(); };
  auto tensor = "tensor " + shown(name);
  if (has("lora_a") || has("lora_b"))
    return refused(
        refusal::unknown_tensor,
        tensor + " is named as MLX does (and is transposed); convert the adapter to PEFT's format");
  if (has("lora_embedding_A") || has("lora_embedding_B"))
    return refused(refusal::unsupported_module, tensor + " adapts an embedding; served are " + served(base));
  if (has("lora_diag"))
    return refused(refusal::unsupported_field, tensor + " belongs to kasa_config, which is not served");
  if (has("trainable_tokens_delta"))
    return refused(refusal::unsupported_field,
                   tensor + " belongs to trainable_token_indices, which is not served");
  if (!path.empty() && path.back() == "bias")
    return refused(refusal::unsupported_bias, tensor + " is a bias; train with bias \"none\"");
  if (!path.empty() && path.back() == "weight")
    return refused(
        refusal::unsupported_modules_to_save,
        tensor + " is a full copy of a module; train without modules_to_save and resized embeddings");
  return refused(refusal::unknown_tensor,
                 tensor + " is not known; expected are names that end in .lora_A.weight or .lora_B.weight");
}

// The part of the path that says A or B must be followed by `weight`, or by the adapter's name and `weight`;
// a magnitude may stand alone.
result<lora_factor> read_suffix(std::string_view name, const parts& path, std::size_t at) {
  auto after = path.size() - at - 1;
  bool vector = after == 0 || (after == 1 && !path.back().empty()) ||
                (after == 2 && !path[at + 1].empty() && path.back() == "weight");
  if (vector && path[at] == "lora_magnitude_vector") return lora_factor::magnitude;
  bool plain = after == 1 || (after == 2 && !path[at + 1].empty());
  if (plain && path.back() == "weight" && path[at] != "lora_magnitude_vector")
    return path[at] == "lora_A" ? lora_factor::a : lora_factor::b;
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

}  // namespace

result<tensor_place> place_tensor(std::string_view name, const model_config& base) {
  auto path = split(name);
  auto factor = std::find_if(path.begin(), path.end(), [](auto p) {
    return p == "lora_A" || p == "lora_B" || p == "lora_magnitude_vector";
  });
  if (factor == path.end()) return no_factor(name, path, base);
  auto at = static_cast<std::size_t>(factor - path.begin());
  auto side = read_suffix(name, path, at);
  if (!side) return side.error();
  path.resize(at);

  auto elsewhere = [&] {
    return refused(refusal::unsupported_module, "module " + shown(joined(path)) + " is adapted; served are " +
                                                    served(base) + " in the layers of the language model");
  };
  if (path.size() < 4 || path[path.size() - 4] != "layers") return elsewhere();
  auto where = read_projection(path[path.size() - 2], path.back(), base);
  auto layer = layer_number(path[path.size() - 3]);
  if (!where || !layer) return elsewhere();
  auto prefix = joined(parts(path.begin(), path.end() - 4));
  if (!prefix.empty()) prefix += '.';
  if (std::find(prefixes.begin(), prefixes.end(), prefix) == prefixes.end()) return elsewhere();
  return tensor_place{*layer, *where, *side, std::move(prefix)};
}

std::string module_path(std::string_view prefix, std::uint32_t layer, projection where) {
  std::string out(prefix);
  out += "layers.";
  out += std::to_string(layer);
  out += '.';
  out += block_of(where);
  out += '.';
  out += to_string(where);
  return out;
}

}  // namespace lorica
