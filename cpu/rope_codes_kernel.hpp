#pragma once

// Body of rope.hpp where K and V are codes, for one set of instructions; included after rope_kernel.hpp and
// quantise_kernel.hpp.

namespace lorica {
namespace {

/// The second half of a group of 32, zero where the head ends before it.
LORICA_KERNEL vec upper_half(const turned_head& head, std::uint32_t k, std::uint32_t padded) {
  return k + 16 < padded ? load(head.values + k + 16) : zero();
}

/// Not a number where the scale is not finite: a score of minus infinity would weigh nothing, and hide it.
LORICA_KERNEL float shown(float scale) {
  return scale + (scale - scale);
}

LORICA_KERNEL void quantise_turned(const turned_head& head, std::uint32_t padded, input_group* out) {
  for (std::uint32_t k = 0; k < padded; k += depth_multiple, ++out) {
    quantise_group(load(head.values + k), upper_half(head, k, padded), out);
    out->scale = shown(out->scale);
  }
}

/// Of sizes that are not below zero, the larger one; not a number where there is one.
LORICA_KERNEL float larger_size(float a, float b) {
  std::uint32_t a_bits = 0, b_bits = 0;
  __builtin_memcpy(&a_bits, &a, sizeof a);
  __builtin_memcpy(&b_bits, &b, sizeof b);
  return a_bits > b_bits ? a : b;
}

LORICA_KERNEL std::uint8_t shifted(std::int8_t code) {
  return static_cast<std::uint8_t>(code + 128);
}

/// Four codes of token `lane` of a group lie side by side.
LORICA_KERNEL void store_key(const turned_head& head, std::uint32_t lane, std::uint32_t padded,
                             std::uint8_t* to) {
  input_group groups[max_head_dim / depth_multiple];
  quantise_turned(head, padded, groups);
  for (std::uint32_t k = 0; k < padded; k += depth_multiple) {
    const input_group& group = groups[k / depth_multiple];
    const std::uint32_t width = padded - k < depth_multiple ? padded - k : depth_multiple;
    for (std::uint32_t d = 0; d < width; ++d)
      to[d / 4 * token_group * 4 + lane * 4 + d % 4] = shifted(group.codes[d]);
    to += std::size_t{token_group} * width;
    __builtin_memcpy(to + lane * sizeof(float), &group.scale, sizeof(float));
    to += token_group * sizeof(float);
  }
}

/// Codes of four tokens lie side by side.
LORICA_KERNEL void store_value(const turned_head& head, std::uint32_t lane, std::uint32_t padded,
                               std::uint8_t* to) {
  float size = 0;
  for (std::uint32_t k = 0; k < padded; k += depth_multiple)
    size = larger_size(size, largest_size(load(head.values + k), upper_half(head, k, padded)));
  const bool nothing = size < least_size;  // not a number is not
  const vec factor = splat(nothing ? 0.0f : 127.0f / size);
  const float scale = nothing ? 0.0f : shown(size * (1.0f / 127.0f));
  std::uint8_t* quads = to + std::size_t{lane / 4} * padded * 4 + lane % 4;
  std::int8_t codes[depth_multiple];
  for (std::uint32_t k = 0; k < padded; k += depth_multiple) {
    store_codes(codes, load(head.values + k) * factor, upper_half(head, k, padded) * factor);
    for (std::uint32_t d = k; d < k + depth_multiple && d < padded; ++d)
      quads[std::size_t{d} * 4] = shifted(codes[d - k]);
  }
  __builtin_memcpy(to + std::size_t{token_group} * padded + lane * sizeof(float), &scale, sizeof scale);
}

void rope_codes(const rope_args& a) {
  turned_head turned;
  auto* q = static_cast<input_group*>(a.q);
  for (std::uint32_t h = 0; h < a.heads; ++h, q += head_groups(a.padded_dim)) {
    take_head(a.query + std::size_t{h} * a.head_dim, a.q_norm, a, turned);
    turn(a, turned);
    quantise_turned(turned, a.padded_dim, q);
  }
  const std::size_t key_bytes = coded_key_bytes(a.padded_dim);
  const std::uint32_t lane = a.token % token_group;
  const std::size_t group = a.token - lane;
  for (std::uint32_t h = 0; h < a.kv_heads; ++h) {
    auto* keys = reinterpret_cast<std::uint8_t*>(a.cache + h * a.head_stride);
    auto* values = keys + a.block_tokens * key_bytes;
    take_head(a.key + std::size_t{h} * a.head_dim, a.k_norm, a, turned);
    turn(a, turned);
    store_key(turned, lane, a.padded_dim, keys + group * key_bytes);
    take_head(a.value + std::size_t{h} * a.head_dim, nullptr, a, turned);
    store_value(turned, lane, a.padded_dim, values + group * coded_value_bytes(a.padded_dim));
  }
}

}  // namespace
}  // namespace lorica
