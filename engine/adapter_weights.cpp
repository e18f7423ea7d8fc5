#include "engine/adapter_weights.hpp"

namespace lorica {

site_shape shape_of(const lora_site& site) noexcept {
  return {site.layer, site.where,   site.rank,          site.in,
          site.out,   site.scaling, !site.bias.empty(), !site.magnitude.empty()};
}

std::string name_of(const site_shape& site) {
  if (!in_layer(site.where)) return std::string(to_string(site.where));
  return "layer " + std::to_string(site.layer) + " " + std::string(to_string(site.where));
}

std::vector<site_shape> shapes_of(const adapter_weights& weights) {
  std::vector<site_shape> out;
  out.reserve(weights.sites.size());
  for (auto& site : weights.sites)
    out.push_back(shape_of(site));
  return out;
}

}  // namespace lorica
