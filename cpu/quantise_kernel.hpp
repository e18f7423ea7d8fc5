#pragma once

// Body of quantise.hpp for one set of instructions; included after format_kernel.hpp. Norms and activations
// quantise what they have in registers.

namespace lorica {
namespace {

constexpr float least_size = 1e-30f;

LORICA_KERNEL void quantise_group(vec low, vec high, input_group* out) {
  const float size = largest_size(low, high);
  const bool nothing = size < least_size;  // not a number is not
  const float factor = nothing ? 0.0f : 127.0f / size;
  const int sum = store_codes(out->codes, low * splat(factor), high * splat(factor));
  out->scale = nothing ? 0.0f : size * (1.0f / 127.0f);
  out->scaled_sum = out->scale * static_cast<float>(sum);
  out->minus_8 = -8 * sum;
  out->minus_128 = -128 * sum;
}

template <class Format>
void quantise(const quantise_args& a) {
  const auto* x = static_cast<const typename Format::element*>(a.x);
  for (std::uint32_t k = 0; k < a.width; k += depth_multiple)
    quantise_group(Format::load_values(x + k), Format::load_values(x + k + 16),
                   a.groups + k / depth_multiple);
}

}  // namespace
}  // namespace lorica
