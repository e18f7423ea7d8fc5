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

constexpr float heavy = 4.0f;  // squares of scales over their mean
constexpr float worth = 1.5f;  // how much smaller a scale a quad's high codes must make
constexpr std::uint32_t quads = depth_multiple / 4;

LORICA_KERNEL float larger_of(float a, float b) {
  return a > b ? a : b;
}
LORICA_KERNEL float smaller_of(float a, float b) {
  return a < b ? a : b;
}

/// Which quads of x are to have high codes, at most two, as bits; `size` becomes the largest |x| of the
/// others. Without a branch on the numbers, which no processor would foresee.
LORICA_KERNEL std::uint32_t quads_that_stick_out(const float (&x)[depth_multiple], float& size) {
  float sizes[quads];
  float largest = 0, second = 0, third = 0;
  for (std::uint32_t q = 0; q < quads; ++q) {
    const float* own = x + 4 * q;
    sizes[q] = larger_of(larger_of(__builtin_fabsf(own[0]), __builtin_fabsf(own[1])),
                         larger_of(__builtin_fabsf(own[2]), __builtin_fabsf(own[3])));
    const float below = smaller_of(largest, sizes[q]);
    largest = larger_of(largest, sizes[q]);
    third = larger_of(third, smaller_of(second, below));
    second = larger_of(second, below);
  }
  const bool one = second * worth < largest;
  const bool two = third * (one ? worth : worth * worth) < (one ? second : largest);
  if (!one && !two) return 0;
  size = larger_of(two ? third : second, largest * (1.0f / 16.0f));
  const float least = two ? second : largest;
  std::uint32_t marks = 0;
  for (std::uint32_t q = 0; q < quads; ++q)
    marks |= static_cast<std::uint32_t>(sizes[q] >= least) << q;
  return marks;
}

/// The group at `out` again, with high codes for the quads of `marks`. `size` is the largest of the rest.
LORICA_KERNEL void requantise_group(const float (&x)[depth_multiple], float size, std::uint32_t marks,
                                    input_group* out, std::int8_t* high) {
  const float factor = 127.0f / size;
  int sum = 0;
  for (std::uint32_t k = 0; k < depth_multiple; ++k) {
    const int whole = static_cast<int>(__builtin_rintf(x[k] * factor));
    const int above = marks >> (k / 4) & 1 ? (whole + 8) >> 4 : 0;
    high[k] = static_cast<std::int8_t>(above);
    out->codes[k] = static_cast<std::int8_t>(whole - 16 * above);
    sum += whole;
  }
  out->scale = size * (1.0f / 127.0f);
  out->scaled_sum = out->scale * static_cast<float>(sum);
  out->minus_8 = -8 * sum;
  out->minus_128 = -128 * sum;
}

/// The plane of high codes of a row whose groups are quantised already. `values(k, low, high)` gives the
/// row's inputs from k on once more.
template <class Values>
LORICA_KERNEL void keep_apart(input_group* groups, std::uint32_t width, std::int8_t* high,
                              const Values& values) {
  const std::uint32_t count = width / depth_multiple;
  __builtin_memset(high, 0, width + count);
  float squares = 0;
  for (std::uint32_t g = 0; g < count; ++g)
    squares += groups[g].scale * groups[g].scale;
  const float bar = heavy * squares / static_cast<float>(count);
  for (std::uint32_t g = 0; g < count; ++g) {
    if (!(groups[g].scale * groups[g].scale > bar)) continue;
    vec low, above;
    values(g * depth_multiple, low, above);
    float x[depth_multiple];
    store(x, low);
    store(x + 16, above);
    float size = 0;
    const std::uint32_t marks = quads_that_stick_out(x, size);
    if (marks == 0) continue;
    requantise_group(x, size, marks, groups + g, high + g * depth_multiple);
    high[width + g] = static_cast<std::int8_t>(marks);
  }
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
