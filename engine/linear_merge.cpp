#include "engine/linear_merge.hpp"

#include <string>
#include <tuple>

namespace lorica {
namespace {

error refusal(std::string text) {
  return fail(errc::invalid, std::move(text), {}, "merged_adapters");
}

std::string numbered(std::size_t index) {
  return "adapter " + std::to_string(index + 1);
}

std::string path_of(const module_rank& m) {
  std::string module(to_string(m.where));
  return in_layer(m.where) ? "layer " + std::to_string(m.layer) + ", " + module : module;
}

/// A module that both have with different ranks: its place in both lists, which are in canonical order.
std::optional<std::pair<std::size_t, std::size_t>> apart(const std::vector<module_rank>& a,
                                                         const std::vector<module_rank>& b) {
  auto place = [](const module_rank& m) { return std::tuple(m.layer, m.where); };
  for (std::size_t i = 0, k = 0; i < a.size() && k < b.size();) {
    if (place(a[i]) == place(b[k]) && a[i].rank != b[k].rank) return std::pair(i, k);
    auto first = place(a[i]) <= place(b[k]);
    auto second = place(b[k]) <= place(a[i]);
    i += first ? 1 : 0;
    k += second ? 1 : 0;
  }
  return std::nullopt;
}

}  // namespace

std::optional<error> linear_merge_refusal(std::span<const adapter_use> uses) {
  if (uses.empty() || uses.size() > most_adapters)
    return refusal("`linear` merges 1 to " + std::to_string(most_adapters) +
                   " adapters. Given: " + std::to_string(uses.size()));
  for (std::size_t i = 0; i < uses.size(); ++i) {
    auto& adapter = *uses[i].adapter;
    if (adapter.stands_alone() || adapter.shape().output_biases)
      return refusal(numbered(i) +
                     " of `merged_adapters` has DoRA (use_dora), full copies of modules (modules_to_save) or "
                     "biases (lora_bias), which `linear` cannot merge; leave it out");
  }
  if (!uses[0].adapter->shape().scaling)
    return refusal(
        "the first adapter of `merged_adapters` has several scalings (alpha_pattern, rank_pattern), and "
        "`linear` takes one for all modules; name another one first, or send `adapters` instead");
  for (std::size_t i = 0; i < uses.size(); ++i)
    for (std::size_t k = i + 1; k < uses.size(); ++k) {
      auto& a = uses[i].adapter->shape().modules;
      auto& b = uses[k].adapter->shape().modules;
      if (auto at = apart(a, b))
        return refusal("`linear` needs equal ranks: " + numbered(i) + " of `merged_adapters` has rank " +
                       std::to_string(a[at->first].rank) + ", " + numbered(k) + " has rank " +
                       std::to_string(b[at->second].rank) + " (" + path_of(a[at->first]) +
                       "); send `adapters` instead, which takes any ranks");
    }
  return std::nullopt;
}

}  // namespace lorica
