#include "engine/merge_shape.hpp"

#include <algorithm>

namespace lorica {

merge_shape merge_shape_of(const adapter_weights& weights) {
  merge_shape out;
  for (auto& site : weights.sites) {
    out.modules.push_back({site.layer, site.where, site.rank});
    out.output_biases |= !site.bias.empty();
  }
  auto other = [&](const lora_site& site) { return site.scaling != weights.sites.front().scaling; };
  if (!weights.sites.empty() && std::ranges::none_of(weights.sites, other))
    out.scaling = weights.sites.front().scaling;
  return out;
}

}  // namespace lorica
