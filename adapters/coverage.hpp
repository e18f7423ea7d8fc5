#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "engine/adapter_weights.hpp"

namespace lorica {

/// What one module of an adapter does. Norms are Frobenius norms.
struct module_coverage {
  std::uint32_t layer = 0;
  projection where = projection::q;
  std::uint32_t rank = 0;
  float scaling = 0;
  std::uint64_t parameters = 0;  ///< elements of its tensors
  double norm_a = 0;
  double norm_b = 0;
  double norm_update = 0;     ///< of scaling * B * A
  double norm_bias = 0;       ///< of `lora_B.bias`; 0 where there is none
  double norm_magnitude = 0;  ///< of `lora_magnitude_vector`; 0 where there is none
  bool dora = false;          ///< there is one

  /// The module answers as the base does: a factor or the scaling is zero, and nothing else is changed. Of
  /// DoRA that cannot be told without the base.
  bool zero_effect() const noexcept {
    if (dora) return false;
    return scaling == 0 || ((norm_a == 0 || norm_b == 0) && norm_bias == 0);
  }
};

/// A module that an adapter brings whole.
struct copy_coverage {
  projection where = projection::head;
  double norm = 0;  ///< Frobenius
};

/// What an adapter touches, for people who wonder whether it was applied. Modules are in canonical order.
struct adapter_coverage {
  std::vector<module_coverage> modules;
  std::vector<copy_coverage> copies;
  std::uint32_t zero_effect_modules = 0;
  std::uint32_t layers = 0;          ///< distinct layers touched
  std::uint64_t parameters = 0;      ///< elements of all tensors
  std::vector<std::uint32_t> ranks;  ///< distinct, ascending
  double largest_update = 0;         ///< `norm_update`
};

/// What one module does; reads every element.
module_coverage measure(const lora_site& site);

/// The same without its norms.
module_coverage outline(const lora_site& site);

/// Sums up modules, which are in canonical order, and full copies. What it gives once `stop` was requested is
/// incomplete: full copies may be large.
adapter_coverage summarise(std::vector<module_coverage> modules, const std::vector<module_copy>& copies,
                           const std::stop_token& stop);

}  // namespace lorica
