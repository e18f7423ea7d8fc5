#pragma once

// K and V in the format of the kernel, for attention_kernel.hpp, after which it is included.

namespace lorica {
namespace {

/// K, V, queries and weights in one format of numbers.
template <class Format>
struct plain_cache {
  using format = Format;
  using element = typename Format::element;
  using query = element;
  static constexpr int most_sums = accumulators;
  struct weights {
    element of[tokens_at_once];
  };

  /// Elements of one query, and of one token.
  static LORICA_KERNEL std::size_t query_width(std::uint32_t padded_dim) { return padded_dim; }
  static LORICA_KERNEL std::size_t key_width(std::uint32_t padded_dim) { return padded_dim; }
  static LORICA_KERNEL std::size_t value_width(std::uint32_t padded_dim) { return padded_dim; }

  static LORICA_KERNEL void keep(weights& to, const token_pair<plain_cache>&, const attention_args&,
                                 const seen_weights& low, const seen_weights& high) {
    Format::store_values(to.of, low.weights);
    Format::store_values(to.of + token_group, high.weights);
  }

  /// Adds to the scores of two groups of tokens.
  template <int Q>
  static LORICA_KERNEL void multiply_keys(const attention_args& a, const queries<plain_cache, Q>& of,
                                          const token_pair<plain_cache>& pair,
                                          const token_pair<plain_cache>& ahead,
                                          vec (&scores)[groups_at_once][Q]) {
    for (std::uint32_t d = 0; d < a.padded_dim; d += Format::depth_step) {
      const std::size_t at = std::size_t{d} * token_group;
      const auto low = Format::load_weights(pair.keys[0] + at);
      const auto high = Format::load_weights(pair.keys[1] + at);
      __builtin_prefetch(ahead.keys[0] + at);
      __builtin_prefetch(ahead.keys[1] + at);
      for (int h = 0; h < Q; ++h) {
        const auto x = Format::splat_input(of.q[h] + d);
        scores[0][h] = Format::step(low, x, scores[0][h]);
        scores[1][h] = Format::step(high, x, scores[1][h]);
      }
    }
  }

  /// Adds the weighted values of two groups of tokens to V vectors of dimensions.
  template <int Q, int V>
  static LORICA_KERNEL void add_values(attention_state<plain_cache, Q>& s,
                                       const token_pair<plain_cache>& pair, std::uint32_t d,
                                       const token_pair<plain_cache>& ahead, const attention_args& a) {
    constexpr std::uint32_t step = Format::depth_step;
    vec sums[Q][V];
    for (int h = 0; h < Q; ++h)
      for (int v = 0; v < V; ++v)
        sums[h][v] = load(&s.sums[h][d + 16 * std::uint32_t(v)]);
    auto add = [&](std::uint32_t group, std::uint32_t t, auto taken) __attribute__((always_inline)) {
      const std::size_t at = std::size_t{t} * a.padded_dim + std::size_t{d} * step;
      for (std::size_t line = 0; line < 16 * V * step; line += 64 / sizeof(element))
        __builtin_prefetch(ahead.values[group] + at + line);
      typename Format::weights values[V];
      for (int v = 0; v < V; ++v)
        values[v] = taken(Format::load_weights(pair.values[group] + at + 16 * step * std::uint32_t(v)));
      for (int h = 0; h < Q; ++h) {
        const auto weight = Format::splat_input(s.weights[h].of + group * token_group + t);
        for (int v = 0; v < V; ++v)
          sums[h][v] = Format::step(values[v], weight, sums[h][v]);
      }
    };
    for (std::uint32_t group = 0; group < groups_at_once; ++group) {
      std::uint32_t t = 0;
      for (; t + step <= pair.tokens[group]; t += step)
        add(group, t, [](auto value) { return value; });
      if (t < pair.tokens[group]) add(group, t, [](auto value) { return Format::first_of_step(value); });
    }
    for (int h = 0; h < Q; ++h)
      for (int v = 0; v < V; ++v)
        store(&s.sums[h][d + 16 * std::uint32_t(v)], sums[h][v]);
  }
};

template <class Format>
void attention(const attention_args& a) {
  attend_from<plain_cache<Format>>(a, 0, a.rows * a.heads);
}

}  // namespace
}  // namespace lorica
