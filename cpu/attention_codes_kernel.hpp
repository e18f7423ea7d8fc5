#pragma once

// K and V as codes of 8 bits, for attention_kernel.hpp, after which it is included.
//
// A query is groups of 32 codes, and so are the weights of 32 tokens once each is multiplied by the scale of
// its token's values: both are the inputs of products of bytes, as in quantised_gemm_kernel.hpp. What the
// codes of K and V are above 128 is in the sums before they begin.

namespace lorica {
namespace {

/// Four codes for sixteen tokens, or for sixteen dimensions.
constexpr std::size_t coded_quads = 64;

/// K and V as codes, what is computed in `Format`.
template <class Format>
struct coded_cache {
  using format = Format;
  using element = std::uint8_t;
  using query = input_group;
  using weights = input_group;
  static constexpr int most_sums = accumulators / groups_at_once;

  static LORICA_KERNEL std::size_t query_width(std::uint32_t padded_dim) { return head_groups(padded_dim); }
  static LORICA_KERNEL std::size_t key_width(std::uint32_t padded_dim) { return coded_key_bytes(padded_dim); }
  static LORICA_KERNEL std::size_t value_width(std::uint32_t padded_dim) {
    return coded_value_bytes(padded_dim);
  }

  static LORICA_KERNEL vec load_scales(const std::uint8_t* from) {
    return load(reinterpret_cast<const float*>(from));
  }

  /// Masked once more: the scale of a token that is not there yet may be anything.
  static LORICA_KERNEL void keep(weights& to, const token_pair<coded_cache>& pair, const attention_args& a,
                                 const seen_weights& low, const seen_weights& high) {
    const std::size_t scales = std::size_t{token_group} * a.padded_dim;
    quantise_group(low.seen.of(low.weights * load_scales(pair.values[0] + scales), 0.0f),
                   high.seen.of(high.weights * load_scales(pair.values[1] + scales), 0.0f), &to);
  }

  /// Adds to the scores of two groups of tokens.
  template <int Q>
  static LORICA_KERNEL void multiply_keys(const attention_args& a, const queries<coded_cache, Q>& of,
                                          const token_pair<coded_cache>& pair,
                                          const token_pair<coded_cache>& ahead,
                                          vec (&scores)[groups_at_once][Q]) {
    std::size_t at = 0;
    for (std::uint32_t d = 0; d < a.padded_dim; d += depth_multiple) {
      const std::uint32_t left = a.padded_dim - d;
      const std::uint32_t quads = (left < depth_multiple ? left : depth_multiple) / 4;
      for (int group = 0; group < groups_at_once; ++group) {
        const std::uint8_t* keys = pair.keys[group] + at;
        ints sums[Q];
        for (int h = 0; h < Q; ++h)
          sums[h] = start_of_bytes(of.q[h][d / depth_multiple]);
        for (std::uint32_t j = 0; j < quads; ++j) {
          const codes all = load_codes(keys + coded_quads * j);
          __builtin_prefetch(ahead.keys[group] + at + coded_quads * j);
          for (int h = 0; h < Q; ++h)
            sums[h] = dot_bytes(all, splat_quad(of.q[h][d / depth_multiple].codes + 4 * j), sums[h]);
        }
        const vec scale = load_scales(keys + coded_quads * quads);
        __builtin_prefetch(ahead.keys[group] + at + coded_quads * quads);
        for (int h = 0; h < Q; ++h)
          scores[group][h] =
              fma(to_floats(sums[h]), splat(of.q[h][d / depth_multiple].scale) * scale, scores[group][h]);
      }
      at += coded_quads * (quads + 1);
    }
  }

  /// Adds the weighted values of two groups of tokens to V vectors of dimensions. What is behind the last
  /// token of a quad weighs nothing, whatever its codes are.
  template <int Q, int V>
  static LORICA_KERNEL void add_values(attention_state<coded_cache, Q>& s,
                                       const token_pair<coded_cache>& pair, std::uint32_t d,
                                       const token_pair<coded_cache>& ahead, const attention_args& a) {
    ints sums[Q][V];
    for (int h = 0; h < Q; ++h)
      for (int v = 0; v < V; ++v)
        sums[h][v] = start_of_bytes(s.weights[h]);
    for (std::uint32_t group = 0; group < groups_at_once; ++group) {
      if (d == 0) __builtin_prefetch(ahead.values[group] + std::size_t{token_group} * a.padded_dim);
      for (std::uint32_t t = 0; t < pair.tokens[group]; t += 4) {
        const std::size_t at = std::size_t{t} * a.padded_dim + std::size_t{d} * 4;
        codes values[V];
        for (int v = 0; v < V; ++v) {
          __builtin_prefetch(ahead.values[group] + at + coded_quads * std::size_t(v));
          values[v] = load_codes(pair.values[group] + at + coded_quads * std::size_t(v));
        }
        for (int h = 0; h < Q; ++h) {
          const quad weight = splat_quad(s.weights[h].codes + group * token_group + t);
          for (int v = 0; v < V; ++v)
            sums[h][v] = dot_bytes(values[v], weight, sums[h][v]);
        }
      }
    }
    for (int h = 0; h < Q; ++h) {
      const vec scale = splat(s.weights[h].scale);
      for (int v = 0; v < V; ++v) {
        float* to = &s.sums[h][d + 16 * std::uint32_t(v)];
        store(to, fma(to_floats(sums[h][v]), scale, load(to)));
      }
    }
  }
};

template <class Format>
void attention_codes(const attention_args& a) {
  attend_from<coded_cache<Format>>(a, 0, a.rows * a.heads);
}

}  // namespace
}  // namespace lorica
