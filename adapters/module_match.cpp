#include "adapters/module_match.hpp"

#include <algorithm>
#include <cmath>

#include "adapters/refusal.hpp"

namespace lorica {
namespace {

result<regex> compiled(const std::string& pattern, std::string_view field, std::string_view written) {
  auto out = regex::compile(pattern, regex::mode::full_match);
  if (out) return out;
  return refused(refusal::bad_config, "adapter_config.json: " + std::string(field) + " holds \"" +
                                          shown(written) + "\", which is no regular expression");
}

result<bool> matches(const regex& pattern, std::string_view path) {
  auto found = pattern.find(path);
  if (found) return found->has_value();
  return refused(refusal::bad_config,
                 "adapter_config.json: a regular expression needs too many steps; write a simpler one");
}

}  // namespace

bool names_module(std::string_view name, std::string_view path) noexcept {
  if (!path.ends_with(name)) return false;
  auto before = path.size() - name.size();
  return before == 0 || path[before - 1] == '.';
}

result<module_match::selection> module_match::compile_selection(const module_selection& from,
                                                                std::string_view field) {
  selection out{from.what, from.names, {}};
  if (from.what != module_selection::kind::pattern) return out;
  auto pattern = compiled(from.pattern, field, from.pattern);
  if (!pattern) return pattern.error();
  out.pattern.push_back(*std::move(pattern));
  return out;
}

result<module_match> module_match::compile(const adapter_manifest& manifest) {
  module_match out;
  auto targets = compile_selection(manifest.targets, "target_modules");
  if (!targets) return targets.error();
  auto excluded = compile_selection(manifest.excluded, "exclude_modules");
  if (!excluded) return excluded.error();
  out.targets_ = *std::move(targets);
  out.excluded_ = *std::move(excluded);
  out.layers_ = manifest.layers;
  for (const auto& name : manifest.layers_pattern) {
    auto pattern = compiled("(?:^|.*\\.)" + name + "\\.\\d+\\..*", "layers_pattern", name);
    if (!pattern) return pattern.error();
    out.layers_pattern_.push_back(*std::move(pattern));
  }
  for (const auto& [key, rank] : manifest.rank_pattern) {
    auto pattern = compiled("(.*\\.)?(" + key + ")$", "rank_pattern", key);
    if (!pattern) return pattern.error();
    out.ranks_.push_back({*std::move(pattern), rank});
  }
  for (const auto& [key, alpha] : manifest.alpha_pattern) {
    auto pattern = compiled("(.*\\.)?(" + key + ")$", "alpha_pattern", key);
    if (!pattern) return pattern.error();
    out.alphas_.push_back({*std::move(pattern), alpha});
  }
  out.rank_ = manifest.rank;
  out.alpha_ = manifest.alpha;
  out.rslora_ = manifest.rslora;
  return out;
}

result<bool> module_match::selects(const selection& by, std::string_view path) {
  switch (by.what) {
    case module_selection::kind::none: return false;
    case module_selection::kind::all_linear: return true;
    case module_selection::kind::pattern: return matches(by.pattern.front(), path);
    default:
      return std::any_of(by.names.begin(), by.names.end(),
                         [&](const auto& name) { return names_module(name, path); });
  }
}

result<bool> module_match::in_layers(std::string_view path, std::optional<std::uint32_t> layer) const {
  if (layers_.empty()) return true;
  // A full path among the targets stands for itself, whatever the layers say.
  if (std::find(targets_.names.begin(), targets_.names.end(), path) != targets_.names.end()) return true;
  if (!layer || std::find(layers_.begin(), layers_.end(), *layer) == layers_.end()) return false;
  if (layers_pattern_.empty()) return true;
  for (const auto& pattern : layers_pattern_) {
    auto found = matches(pattern, path);
    if (!found || *found) return found;
  }
  return false;
}

result<bool> module_match::targets(std::string_view path, std::optional<std::uint32_t> layer) const {
  if (!layer && targets_.what == module_selection::kind::all_linear) return false;
  auto out = selects(excluded_, path);
  if (!out) return out;
  if (*out) return false;
  auto wanted = selects(targets_, path);
  if (!wanted || !*wanted) return wanted;
  return in_layers(path, layer);
}

result<module_scale> module_match::scale(std::string_view path) const {
  auto rank = rank_;
  auto alpha = alpha_;
  for (const auto& entry : ranks_) {
    auto found = matches(entry.pattern, path);
    if (!found) return found.error();
    if (!*found) continue;
    rank = entry.rank;
    break;
  }
  for (const auto& entry : alphas_) {
    auto found = matches(entry.pattern, path);
    if (!found) return found.error();
    if (!*found) continue;
    alpha = entry.alpha;
    break;
  }
  double scaling = alpha / (rslora_ ? std::sqrt(rank) : static_cast<double>(rank));
  module_scale out{rank, static_cast<float>(scaling)};
  if (!std::isfinite(out.scaling))
    return refused(refusal::bad_config, "adapter_config.json: the scaling of " + shown(path) + " overflows");
  return out;
}

}  // namespace lorica
