#pragma once

// Body of quantise.hpp for one set of instructions; included after format_kernel.hpp. Norms and activations
// quantise what they have in registers.

namespace lorica {
namespace {

constexpr float least_size = 1e-30f;

/// To bfloat16, to nearest, ties to even, and back. What is not a number stays none, but for its payload.
LORICA_KERNEL ints4 rounded_to_bfloats(ints4 bits) {
  return (bits + 0x7fff + ((bits >> 16) & 1)) & static_cast<std::int32_t>(0xffff0000u);
}

/// What products need of a group's sum of codes.
LORICA_KERNEL void write_sum(input_group* out, int sum) {
  const floats4 scaled = {out->scale * static_cast<float>(sum), 0, 0, 0};
  out->scaled_sum = ((floats4)rounded_to_bfloats((ints4)scaled))[0];
  out->minus_8 = -8 * sum;
  out->minus_128 = -128 * sum;
}

LORICA_KERNEL void quantise_group(vec low, vec high, input_group* out) {
  const float size = largest_size(low, high);
  const bool nothing = size < least_size;  // not a number is not
  const float factor = nothing ? 0.0f : 127.0f / size;
  const int sum = store_codes(out->codes, low * splat(factor), high * splat(factor));
  out->scale = nothing ? 0.0f : size * (1.0f / 127.0f);
  write_sum(out, sum);
}

/// F times four groups: what each has one of is computed side by side, and the chains of several fours hide
/// one another.
template <int F>
LORICA_KERNEL void quantise_fours(vec (&low)[F][4], vec (&high)[F][4], input_group* out) {
  floats4 sizes[F], factors[F];
  ints4 nothing[F], sums[F];
  for (int f = 0; f < F; ++f)
    sizes[f] = (floats4)largest_sizes(low[f], high[f]);
  for (int f = 0; f < F; ++f) {
    nothing[f] = sizes[f] < least_size;  // not a number is not
    factors[f] = (floats4)((ints4)(127.0f / sizes[f]) & ~nothing[f]);
  }
  for (int f = 0; f < F; ++f)
    for (int g = 0; g < 4; ++g) {
      low[f][g] = low[f][g] * splat(factors[f][g]);
      high[f][g] = high[f][g] * splat(factors[f][g]);
    }
  for (int f = 0; f < F; ++f)
    sums[f] = store_four_codes(out[4 * f].codes, sizeof *out, low[f], high[f]);
  for (int f = 0; f < F; ++f) {
    const ints4 scales = (ints4)(sizes[f] * (1.0f / 127.0f)) & ~nothing[f];
    const floats4 scaled = (floats4)scales * __builtin_convertvector(sums[f], floats4);
    ints4 of[4] = {scales, rounded_to_bfloats((ints4)scaled), -8 * sums[f], -128 * sums[f]};
    transpose(of);
    for (int g = 0; g < 4; ++g)
      __builtin_memcpy(reinterpret_cast<std::byte*>(out + 4 * f + g) + sizeof out->codes, &of[g],
                       sizeof of[g]);
  }
}

template <int F, class Values>
LORICA_KERNEL void quantise_fours_from(std::uint32_t g, input_group* out, const Values& values) {
  vec low[F][4], high[F][4];
  for (int f = 0; f < F; ++f)
    for (int i = 0; i < 4; ++i)
      values((g + std::uint32_t(4 * f + i)) * depth_multiple, low[f][i], high[f][i]);
  quantise_fours<F>(low, high, out + g);
}

/// Quantises `count` groups; `values(k, low, high)` gives the inputs from k on.
template <class Values>
LORICA_KERNEL void quantise_groups(std::uint32_t count, input_group* out, const Values& values) {
  constexpr int fours = accumulators >= 16 ? 2 : 1;
  std::uint32_t g = 0;
  for (; g + 4 * fours <= count; g += 4 * fours)
    quantise_fours_from<fours>(g, out, values);
  for (; g + 4 <= count; g += 4)
    quantise_fours_from<1>(g, out, values);
  for (; g < count; ++g) {
    vec low, high;
    values(g * depth_multiple, low, high);
    quantise_group(low, high, out + g);
  }
}

constexpr float heavy = 4.0f;  // squares of scales over their mean
constexpr float worth = 1.5f;  // how much smaller a scale a quad's high codes must make
constexpr int lone = 2 * 127;  // sizes of codes in a group where one quad is nearly all
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
  write_sum(out, sum);
}

/// The inputs of group g, which `values(k, low, high)` gives from k on.
template <class Values>
LORICA_KERNEL void store_group(float (&x)[depth_multiple], std::uint32_t g, const Values& values) {
  vec low, high;
  values(g * depth_multiple, low, high);
  store(x, low);
  store(x + 16, high);
}

/// The plane of high codes of a row whose groups are quantised already. `values(k, low, high)` gives the
/// row's inputs from k on once more.
template <class Values>
LORICA_KERNEL void keep_apart(input_group* groups, std::uint32_t width, std::int8_t* high,
                              const Values& values) {
  const std::uint32_t count = width / depth_multiple;
  __builtin_memset(high + width, 0, count);
  float squares = 0;
  for (std::uint32_t g = 0; g < count; ++g)
    squares += groups[g].scale * groups[g].scale;
  const float bar = heavy * squares / static_cast<float>(count);
  for (std::uint32_t g = 0; g < count; ++g) {
    if (!(groups[g].scale * groups[g].scale > bar)) continue;
    float x[depth_multiple];
    store_group(x, g, values);
    float size = 0;
    const std::uint32_t marks = quads_that_stick_out(x, size);
    if (marks == 0) continue;
    requantise_group(x, size, marks, groups + g, high + g * depth_multiple);
    high[width + g] = static_cast<std::int8_t>(marks);
  }
}

/// The quad of x that is larger than all others, as a bit; `size` becomes the largest |x| of these.
LORICA_KERNEL std::uint32_t quad_that_sticks_out(const float (&x)[depth_multiple], float& size) {
  float largest = 0, second = 0;
  std::uint32_t mark = 0;
  for (std::uint32_t q = 0; q < quads; ++q) {
    float own = 0;
    for (std::uint32_t k = 4 * q; k < 4 * (q + 1); ++k)
      own = larger_of(own, __builtin_fabsf(x[k]));
    second = larger_of(second, smaller_of(largest, own));
    if (own > largest) mark = 1u << q;
    largest = larger_of(largest, own);
  }
  size = larger_of(second, largest * (1.0f / 16.0f));
  const bool within = largest >= least_size && largest <= 3e38f;
  return within && second * worth < largest ? mark : 0;
}

/// High codes for the groups of [0, count) in which one quad is nearly all, and marks for all of them.
/// `values(k, low, high)` gives the inputs once more.
template <class Values>
LORICA_KERNEL void keep_lone_apart(input_group* groups, std::uint32_t count, std::int8_t* high,
                                   std::int8_t* marks, const Values& values) {
  for (std::uint32_t g = 0; g < count; ++g) {
    marks[g] = 0;
    if (size_of_codes(groups[g].codes) > lone) continue;
    float x[depth_multiple];
    store_group(x, g, values);
    float size = 0;
    const std::uint32_t mark = quad_that_sticks_out(x, size);
    if (mark == 0) continue;
    requantise_group(x, size, mark, groups + g, high + g * depth_multiple);
    marks[g] = static_cast<std::int8_t>(mark);
  }
}

template <class Format>
void quantise(const quantise_args& a) {
  const auto* x = static_cast<const typename Format::element*>(a.x);
  quantise_groups(
      a.width / depth_multiple,
      a.groups, [&](std::uint32_t k, vec & low, vec & high) __attribute__((always_inline)) {
        low = Format::load_values(x + k);
        high = Format::load_values(x + k + 16);
      });
}

}  // namespace
}  // namespace lorica
