#include "adapters/site_plan.hpp"

#include <algorithm>
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
  const safetensors_tensor* a = nullptr;
  const safetensors_tensor* b = nullptr;
};

using module_key = std::pair<std::uint32_t, projection>;
using found_modules = std::map<module_key, found_module>;  // canonical order

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
    if (place->layer >= base.layers)
      return refused(refusal::base_mismatch, "tensor " + shown(tensor.name) + " is for layer " +
                                                 std::to_string(place->layer) + ", the base has " +
                                                 std::to_string(base.layers) + " layers");
    auto& module = out[{place->layer, place->where}];
    auto& factor = place->factor == lora_factor::a ? module.a : module.b;
    if (factor)
      return refused(refusal::duplicate_tensor, "tensors " + shown(factor->name) + " and " +
                                                    shown(tensor.name) +
                                                    " are the same factor of one module");
    factor = &tensor;
    module.prefix = std::move(place->prefix);
  }
  if (out.empty()) return refused(refusal::missing_tensor, "adapter_model.safetensors holds no LoRA tensor");
  return out;
}

// Shapes of a pair against base and manifest; the rank is what A says.
result<planned_site> plan_site(const module_key& key, const found_module& module, const module_scale& scale,
                               const model_config& base, std::uint32_t max_rank) {
  auto [in, out] = shape_of(base, key.second);
  const auto& a = *module.a;
  const auto& b = *module.b;
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
  auto a_type = read_type(a);
  if (!a_type) return a_type.error();
  auto b_type = read_type(b);
  if (!b_type) return b_type.error();
  planned_site site;
  site.layer = key.first;
  site.where = key.second;
  site.rank = static_cast<std::uint32_t>(rank);
  site.in = static_cast<std::uint32_t>(in);
  site.out = static_cast<std::uint32_t>(out);
  site.scaling = scale.scaling;
  site.a = {a.name, *a_type, a.begin, rank * in};
  site.b = {b.name, *b_type, b.begin, out * rank};
  return site;
}

result<planned_site> check_module(const module_key& key, const found_module& module,
                                  const module_match& match, const model_config& base,
                                  std::uint32_t max_rank) {
  auto path = module_path(module.prefix, key.first, key.second);
  if (!module.a || !module.b) {
    const auto& alone = module.a ? *module.a : *module.b;
    return refused(refusal::unpaired_tensor, "tensor " + shown(alone.name) +
                                                 " has no partner: " + (module.a ? "lora_B" : "lora_A") +
                                                 " of " + shown(path) + " is missing");
  }
  if (match.selective()) {
    auto wanted = match.targets(path, key.first);
    if (!wanted) return wanted.error();
    if (!*wanted)
      return refused(refusal::unknown_tensor, "tensor " + shown(module.a->name) +
                                                  " is for a module that target_modules, exclude_modules and "
                                                  "layers_to_transform of adapter_config.json do not select");
  }
  auto scale = match.scale(path);
  if (!scale) return scale.error();
  return plan_site(key, module, *scale, base, max_rank);
}

// The reverse: every module of the base that the manifest targets has its tensors. A file that was cut or
// merged wrongly would otherwise be served with a part of its effect.
result<void> check_complete(const found_modules& modules, const module_match& match, const model_config& base,
                            const std::stop_token& stop) {
  const auto& prefix = modules.begin()->second.prefix;
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
    paths.push_back(module_path(module.prefix, key.first, key.second));
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
    auto site = check_module(key, module, *match, base, max_rank);
    if (!site) return site.error();
    out.sites.push_back(*std::move(site));
  }
  if (match->selective()) {
    if (auto ok = check_complete(*modules, *match, base, stop); !ok) return ok.error();
    out.warnings = idle_targets(manifest, *modules);
  } else {
    out.warnings.push_back(
        "adapter_config.json: target_modules is missing; the tensors could not be compared");
  }
  return out;
}

}  // namespace lorica
