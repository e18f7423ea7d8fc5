#include "adapters/site_plan.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "adapters/module_match.hpp"
#include "adapters/refusal.hpp"
#include "adapters/tensor_names.hpp"

namespace lorica {
namespace {

struct found_module {
  std::string prefix;
  std::array<const safetensors_tensor*, lora_factor_count> tensors = {};

  const safetensors_tensor* at(lora_factor f) const { return tensors[static_cast<std::size_t>(f)]; }
  bool adapted() const { return at(lora_factor::a) || at(lora_factor::b); }
  const safetensors_tensor& any() const {
    return **std::find_if(tensors.begin(), tensors.end(), [](auto* tensor) { return tensor != nullptr; });
  }
};

using module_key = std::pair<std::uint32_t, projection>;
using found_modules = std::map<module_key, found_module>;  // canonical order

std::optional<std::uint32_t> layer_of(const module_key& key) {
  return in_layer(key.second) ? std::optional(key.first) : std::nullopt;
}

error cancelled() {
  return fail(errc::cancelled, "the load of the adapter was cancelled");
}

result<tensor_type> read_type(const safetensors_tensor& tensor) {
  for (auto type : {tensor_type::f32, tensor_type::f16, tensor_type::bf16})
    if (tensor.dtype == to_string(type)) return type;
  return refused(refusal::unsupported_dtype, "tensor " + shown(tensor.name) + " is stored as " +
                                                 shown(tensor.dtype) + "; served are F32, F16 and BF16");
}

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string out = "[";
  for (auto size : shape) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(size);
  }
  return out += ']';
}

error wrong_shape(const safetensors_tensor& tensor, const std::vector<std::uint64_t>& expected,
                  const std::string& why) {
  return refused(refusal::shape_mismatch, "tensor " + shown(tensor.name) + " has the shape " +
                                              shape_text(tensor.shape) + ", expected " +
                                              shape_text(expected) + why);
}

result<found_modules> find_modules(const safetensors_header& header, const model_config& base) {
  found_modules out;
  for (const auto& tensor : header.tensors) {
    auto place = place_tensor(tensor.name, base);
    if (!place) return place.error();
    if (in_layer(place->where) && place->layer >= base.layers)
      return refused(refusal::base_mismatch, "tensor " + shown(tensor.name) + " is for layer " +
                                                 std::to_string(place->layer) + ", the base has " +
                                                 std::to_string(base.layers) + " layers");
    auto& module = out[{place->layer, place->where}];
    auto& factor = module.tensors[static_cast<std::size_t>(place->factor)];
    if (factor)
      return refused(refusal::duplicate_tensor, "tensors " + shown(factor->name) + " and " +
                                                    shown(tensor.name) +
                                                    " are the same factor of one module");
    factor = &tensor;
    module.prefix = std::move(place->prefix);
  }
  if (std::none_of(out.begin(), out.end(), [](auto& m) { return m.second.adapted(); }))
    return refused(refusal::missing_tensor, "adapter_model.safetensors holds no LoRA tensor");
  return out;
}

result<stored_factor> stored(const safetensors_tensor& tensor) {
  auto type = read_type(tensor);
  if (!type) return type.error();
  std::uint64_t elements = 1;
  for (auto size : tensor.shape)
    elements *= size;  // fits: the header was checked against the file
  return stored_factor{tensor.name, *type, tensor.begin, elements};
}

// Shapes of a pair against base and manifest; the rank is what A says.
result<planned_site> plan_site(const module_key& key, const found_module& module, const module_scale& scale,
                               const model_config& base, std::uint32_t max_rank) {
  auto [in, out] = shape_of(base, key.second);
  const auto& a = *module.at(lora_factor::a);
  const auto& b = *module.at(lora_factor::b);
  if (a.shape.size() != 2 || a.shape[1] != in)
    return wrong_shape(a, {scale.rank, in}, " (rank, inputs of the base's module)");
  auto rank = a.shape[0];
  if (rank > max_rank)
    return refused(refusal::rank_too_large, "LoRA rank " + std::to_string(rank) +
                                                " is greater than max_lora_rank " + std::to_string(max_rank) +
                                                ". (tensor " + shown(a.name) + ")");
  if (rank != scale.rank)
    return wrong_shape(a, {scale.rank, in}, " (the rank that adapter_config.json gives this module)");
  if (b.shape != std::vector<std::uint64_t>{out, rank})
    return wrong_shape(b, {out, rank}, " (outputs of the base's module, rank)");
  auto stored_a = stored(a);
  if (!stored_a) return stored_a.error();
  auto stored_b = stored(b);
  if (!stored_b) return stored_b.error();
  return planned_site{{key.first, key.second, static_cast<std::uint32_t>(rank),
                       static_cast<std::uint32_t>(in), static_cast<std::uint32_t>(out), scale.scaling},
                      *std::move(stored_a),
                      *std::move(stored_b)};
}

// A vector with one number per output, which is there exactly when its switch in the manifest is on.
struct promised_vector {
  lora_factor factor;
  std::string_view field;
  bool promised;
  std::string_view word;  // of the refusal of one that was not promised
};

result<std::optional<stored_factor>> plan_vector(const found_module& module, const promised_vector& vector,
                                                 std::uint32_t outputs) {
  auto tensor = module.at(vector.factor);
  auto field =
      std::string(vector.field) + " of adapter_config.json is " + (vector.promised ? "true" : "not true");
  if (!tensor && !vector.promised) return std::optional<stored_factor>{};
  if (!tensor)
    return refused(refusal::missing_tensor, field + ", but the module of tensor " + shown(module.any().name) +
                                                " has no " + std::string(to_string(vector.factor)));
  if (!vector.promised)
    return refused(vector.word, "tensor " + shown(tensor->name) + " is there, but " + field);
  if (tensor->shape != std::vector<std::uint64_t>{outputs})
    return wrong_shape(*tensor, {outputs}, " (outputs of the base's module)");
  auto out = stored(*tensor);
  if (!out) return out.error();
  return std::optional(*std::move(out));
}

// What PEFT does not define for a lookup.
result<void> check_embedding(const module_key& key, const adapter_manifest& manifest) {
  if (key.second != projection::embed) return {};
  if (manifest.lora_bias)
    return refused(
        refusal::unsupported_bias,
        "adapter_config.json: lora_bias is true, which embed_tokens cannot have; train without it");
  if (manifest.dora)
    return refused(
        refusal::unsupported_dora,
        "adapter_config.json: use_dora is true and embed_tokens is adapted, which is not served; leave "
        "embed_tokens out of target_modules");
  return {};
}

result<planned_copy> plan_copy(projection where, const safetensors_tensor& tensor, const model_config& base) {
  if (tensor.shape != std::vector<std::uint64_t>{base.vocab, base.hidden})
    return wrong_shape(tensor, {base.vocab, base.hidden}, " (tokens and width of the base)");
  auto weight = stored(tensor);
  if (!weight) return weight.error();
  return planned_copy{where, base.vocab, base.hidden, *std::move(weight)};
}

bool names_saved(const adapter_manifest& manifest, std::string_view path) {
  return std::any_of(manifest.saved.begin(), manifest.saved.end(),
                     [&](const auto& name) { return names_module(name, path); });
}

// Modules outside the layers that come whole. A base layer beside LoRA is the base that PEFT adapted; tied
// matrices are one in PEFT, so the copy of one stands for both.
result<std::vector<planned_copy>> plan_copies(const found_modules& modules, const adapter_manifest& manifest,
                                              const model_config& base) {
  std::vector<planned_copy> out;
  const auto embed = modules.find({0, projection::embed}), head = modules.find({0, projection::head});
  for (const auto& found : {embed, head}) {
    if (found == modules.end()) continue;
    const auto& module = found->second;
    auto path = module_path(module.prefix, 0, found->first.second);
    if (manifest.ties)
      return refused(refusal::unsupported_field,
                     "adapter_config.json: ensure_weight_tying is true and " + shown(path) +
                         " is adapted or copied, which is not served; train without it");
    auto copy = module.at(lora_factor::copy);
    if (copy && !names_saved(manifest, path))
      return refused(
          refusal::unsupported_modules_to_save,
          "tensor " + shown(copy->name) +
              " is a full copy of a module that modules_to_save of adapter_config.json does not name");
    if (copy && (module.adapted() || module.at(lora_factor::base)))
      return refused(refusal::bad_config,
                     "module " + shown(path) +
                         " is both adapted and a full copy; leave it out of target_modules or "
                         "modules_to_save");
    if (module.at(lora_factor::base) && !module.adapted())
      return refused(refusal::unsupported_modules_to_save,
                     "tensor " + shown(module.at(lora_factor::base)->name) + " is a copy of the base of " +
                         shown(path) + ", which is not adapted");
  }
  auto base_of = [&](auto found) {
    return found == modules.end() ? nullptr : found->second.at(lora_factor::base);
  };
  for (auto [found, other] : {std::pair(embed, head), {head, embed}}) {
    auto tensor = found == modules.end() ? nullptr : found->second.at(lora_factor::copy);
    if (!tensor) tensor = base_of(found);
    if (!tensor && base.tied_head) tensor = base_of(other);
    if (!tensor) continue;
    auto copy = plan_copy(found == embed ? projection::embed : projection::head, *tensor, base);
    if (!copy) return copy.error();
    out.push_back(*std::move(copy));
  }
  return out;
}

result<planned_site> check_module(const module_key& key, const found_module& module,
                                  const module_match& match, const adapter_manifest& manifest,
                                  const model_config& base, std::uint32_t max_rank) {
  auto path = module_path(module.prefix, key.first, key.second);
  for (auto factor : {lora_factor::a, lora_factor::b})
    if (!module.at(factor))
      return refused(refusal::unpaired_tensor, "tensor " + shown(module.any().name) +
                                                   " has no partner: " + std::string(to_string(factor)) +
                                                   " of " + shown(path) + " is missing");
  if (match.selective()) {
    auto wanted = match.targets(path, layer_of(key));
    if (!wanted) return wanted.error();
    if (!*wanted)
      return refused(refusal::unknown_tensor, "tensor " + shown(module.any().name) +
                                                  " is for a module that target_modules, exclude_modules and "
                                                  "layers_to_transform of adapter_config.json do not select");
  }
  auto scale = match.scale(path);
  if (!scale) return scale.error();
  auto site = plan_site(key, module, *scale, base, max_rank);
  if (!site) return site;
  if (auto ok = check_embedding(key, manifest); !ok) return ok.error();
  auto bias =
      plan_vector(module, {lora_factor::bias, "lora_bias", manifest.lora_bias, refusal::unsupported_bias},
                  site->shape.out);
  if (!bias) return bias.error();
  auto magnitude =
      plan_vector(module, {lora_factor::magnitude, "use_dora", manifest.dora, refusal::unsupported_dora},
                  site->shape.out);
  if (!magnitude) return magnitude.error();
  site->bias = *std::move(bias);
  site->magnitude = *std::move(magnitude);
  site->shape.bias = site->bias.has_value();
  site->shape.magnitude = site->magnitude.has_value();
  return site;
}

// What stands before the layers: PEFT's usual one where only the head is adapted.
std::string prefix_of(const found_modules& modules) {
  for (const auto& [key, module] : modules)
    if (key.second != projection::head) return module.prefix;
  return "model.";
}

std::string head_path(std::string_view prefix) {
  return module_path(prefix == "language_model.model." ? "language_model." : "", 0, projection::head);
}

// The reverse: every module of the base that the manifest targets has its tensors. A file that was cut or
// merged wrongly would otherwise be served with a part of its effect.
result<void> check_complete(const found_modules& modules, const module_match& match,
                            const adapter_manifest& manifest, const model_config& base,
                            const std::stop_token& stop) {
  const auto prefix = prefix_of(modules);
  for (auto where : {projection::embed, projection::head}) {
    auto path = where == projection::embed ? module_path(prefix, 0, where) : head_path(prefix);
    auto found = modules.find({0, where});
    auto wanted = match.targets(path, std::nullopt);
    if (!wanted) return wanted.error();
    if (*wanted && (found == modules.end() || !found->second.adapted()))
      return refused(refusal::missing_tensor,
                     "adapter_config.json targets " + shown(path) + ", but the file has no tensors for it");
    if (names_saved(manifest, path) && (found == modules.end() || !found->second.at(lora_factor::copy)))
      return refused(refusal::missing_tensor,
                     "adapter_config.json saves " + shown(path) + ", but the file has no copy of it");
  }
  for (std::uint32_t layer = 0; layer < base.layers; ++layer) {
    for (auto where : projections_of(base)) {
      if (stop.stop_requested()) return cancelled();
      if (modules.contains({layer, where})) continue;
      auto path = module_path(prefix, layer, where);
      auto wanted = match.targets(path, layer);
      if (!wanted) return wanted.error();
      if (*wanted)
        return refused(refusal::missing_tensor,
                       "adapter_config.json targets " + shown(path) + ", but the file has no tensors for it");
    }
  }
  return {};
}

// Names among the targets that mean no module here: harmless, but people should know.
std::vector<std::string> idle_targets(const adapter_manifest& manifest, const found_modules& modules) {
  std::vector<std::string> paths;
  for (const auto& [key, module] : modules)
    if (module.adapted()) paths.push_back(module_path(module.prefix, key.first, key.second));
  std::vector<std::string> out;
  for (const auto& name : manifest.targets.names) {
    bool used = std::any_of(paths.begin(), paths.end(), [&](auto& path) { return names_module(name, path); });
    if (!used && out.size() < 16)
      out.push_back("adapter_config.json: " + shown(name) + " of target_modules means no adapted module");
  }
  return out;
}

}  // namespace

result<site_plan> plan_sites(const safetensors_header& header, const adapter_manifest& manifest,
                             const model_config& base, std::uint32_t max_rank, const std::stop_token& stop) {
  auto match = module_match::compile(manifest);
  if (!match) return match.error();
  auto modules = find_modules(header, base);
  if (!modules) return modules.error();
  site_plan out;
  for (const auto& [key, module] : *modules) {
    if (stop.stop_requested()) return cancelled();
    if (!in_layer(key.second) && !module.adapted() && !module.at(lora_factor::bias) &&
        !module.at(lora_factor::magnitude))
      continue;  // whole copies only
    auto site = check_module(key, module, *match, manifest, base, max_rank);
    if (!site) return site.error();
    out.sites.push_back(*std::move(site));
  }
  auto copies = plan_copies(*modules, manifest, base);
  if (!copies) return copies.error();
  out.copies = *std::move(copies);
  if (match->selective()) {
    if (auto ok = check_complete(*modules, *match, manifest, base, stop); !ok) return ok.error();
    out.warnings = idle_targets(manifest, *modules);
  } else {
    out.warnings.push_back(
        "adapter_config.json: target_modules is missing; the tensors could not be compared");
  }
  return out;
}

}  // namespace lorica
