#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/manifest.hpp"
#include "core/error.hpp"
#include "core/regex.hpp"

namespace lorica {

/// How one module is scaled.
struct module_scale {
  std::uint32_t rank = 0;
  float scaling = 0;  ///< alpha / rank, or alpha / sqrt(rank) with rsLoRA (Kalajdzievski 2023); finite
};

/// True when `name` in a list of modules means the one at `path`: it is the path, or its end after a dot.
bool names_module(std::string_view name, std::string_view path) noexcept;

/// What a manifest says about module paths as PEFT sees them (`model.layers.0.self_attn.q_proj`): the rules
/// of PEFT's `check_target_module_exists` and `get_pattern_key`. Immutable after compile; keeps no reference
/// to the manifest. Failures are `errc::bad_adapter`, reason `bad_config`: a pattern that does not compile,
/// that needs too many steps, or a scaling that is not finite.
class module_match {
 public:
  static result<module_match> compile(const adapter_manifest& manifest);

  /// True when the manifest says what it targets: without that nothing can be verified.
  bool selective() const noexcept { return targets_.what != module_selection::kind::none; }

  /// True when the module is targeted and not excluded. `path` ends with `layers.<layer>.….<projection>`, or
  /// lies outside the layers.
  result<bool> targets(std::string_view path, std::optional<std::uint32_t> layer) const;

  /// Rank and scaling after the patterns; of several that match the first in the file wins.
  result<module_scale> scale(std::string_view path) const;

 private:
  struct selection {
    module_selection::kind what = module_selection::kind::none;
    std::vector<std::string> names;
    std::vector<regex> pattern;  ///< at most one
  };
  struct ranked {
    regex pattern;
    std::uint32_t rank;
  };
  struct weighed {
    regex pattern;
    double alpha;
  };

  module_match() = default;
  static result<selection> compile_selection(const module_selection& from, std::string_view field);
  static result<bool> selects(const selection& by, std::string_view path);
  result<bool> in_layers(std::string_view path, std::optional<std::uint32_t> layer) const;

  selection targets_;
  selection excluded_;
  std::vector<std::uint32_t> layers_;
  std::vector<regex> layers_pattern_;
  std::vector<ranked> ranks_;
  std::vector<weighed> alphas_;
  std::uint32_t rank_ = 0;
  double alpha_ = 0;
  bool rslora_ = false;
};

}  // namespace lorica
