#include "engine/merge_shape.hpp"

#include <algorithm>

namespace lorica {

merge_shape merge_shape_of(std::span<const site_shape> sites) {
  merge_shape out;
  for (auto& site : sites) {
    out.modules.push_back({site.layer, site.where, site.rank});
    out.output_biases |= site.bias;
  }
  auto other = [&](const site_shape& site) { return site.scaling != sites.front().scaling; };
  if (!sites.empty() && std::ranges::none_of(sites, other)) out.scaling = sites.front().scaling;
  return out;
}

}  // namespace lorica
