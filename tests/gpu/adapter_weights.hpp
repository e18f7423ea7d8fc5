#pragma once

// Models and adapters without files.

#include <cstdint>
#include <memory>

#include "bench/made_up_weights.hpp"
#include "engine/adapter_weights.hpp"
#include "tests/gpu/test_device.hpp"

namespace lorica::testing {

/// A model of numbers that bfloat16 holds: the matrices that adapters touch.
inline std::shared_ptr<const bench::float_weights> exact_weights(const model_config& m) {
  return std::make_shared<const bench::float_weights>(m, exact_numbers, 0);
}

inline model_config small_model() {
  model_config m;
  m.layers = 2;
  m.hidden = 41;
  m.heads = 4;
  m.kv_heads = 2;
  m.head_dim = 10;
  m.ffn = 70;
  m.vocab = 99;
  return m;
}

/// A site of `base` with numbers that bfloat16 holds.
inline lora_site site_of(const model_config& base, std::uint32_t layer, projection where, std::uint32_t rank,
                         float scaling = 0.5f) {
  const auto shape = shape_of(base, where);
  lora_site out;
  out.layer = layer;
  out.where = where;
  out.rank = rank;
  out.in = static_cast<std::uint32_t>(shape.in);
  out.out = static_cast<std::uint32_t>(shape.out);
  out.scaling = scaling;
  const auto seed = layer * 100 + static_cast<std::uint32_t>(where) * 7 + rank;
  out.a = exact_numbers(std::size_t{rank} * out.in, seed);
  out.b = exact_numbers(std::size_t{rank} * out.out, seed + 1);
  return out;
}

}  // namespace lorica::testing
