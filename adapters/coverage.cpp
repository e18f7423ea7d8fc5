#include "adapters/coverage.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "adapters/factor_norms.hpp"

namespace lorica {
namespace {

constexpr std::size_t slice = std::size_t{1} << 24;  // elements between two looks at the stop token

double norm(std::span<const float> numbers, const std::stop_token& stop = {}) {
  double sum = 0;
  for (std::size_t at = 0; at < numbers.size() && !stop.stop_requested(); at += slice)
    for (auto x : numbers.subspan(at, std::min(slice, numbers.size() - at)))
      sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}

}  // namespace

module_coverage outline(const lora_site& site) {
  module_coverage out{site.layer, site.where, site.rank, site.scaling};
  out.parameters = site.a.size() + site.b.size() + site.bias.size() + site.magnitude.size();
  out.dora = !site.magnitude.empty();
  return out;
}

module_coverage measure(const lora_site& site) {
  auto norms = norms_of(site);
  auto out = outline(site);
  out.norm_a = norms.a;
  out.norm_b = norms.b;
  out.norm_update = norms.update;
  out.norm_bias = norm(site.bias);
  out.norm_magnitude = norm(site.magnitude);
  return out;
}

adapter_coverage summarise(std::vector<module_coverage> modules, const std::vector<module_copy>& copies,
                           const std::stop_token& stop) {
  adapter_coverage out;
  std::set<std::uint32_t> layers;
  std::set<std::uint32_t> ranks;
  for (const auto& module : modules) {
    if (in_layer(module.where)) layers.insert(module.layer);
    ranks.insert(module.rank);
    out.parameters += module.parameters;
    if (module.zero_effect()) ++out.zero_effect_modules;
    out.largest_update = std::max(out.largest_update, module.norm_update);
  }
  for (const auto& copy : copies) {
    out.copies.push_back({copy.where, norm(copy.weight, stop)});
    out.parameters += copy.weight.size();
  }
  out.layers = static_cast<std::uint32_t>(layers.size());
  out.ranks.assign(ranks.begin(), ranks.end());
  out.modules = std::move(modules);
  return out;
}

}  // namespace lorica
