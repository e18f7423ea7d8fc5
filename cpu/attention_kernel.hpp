#pragma once

// Body of attention.hpp for one set of instructions; included after format_kernel.hpp.
//
// Scores: the lanes are sixteen tokens, so a score is one chain over the head's dimensions. Values: the lanes
// are dimensions, so an output is one chain over the tokens. Q query heads share every load of K and V. Two
// groups of tokens go together: chains enough to hide the latency of a multiply-add, and half the rescaling.

namespace lorica {
namespace {

/// No score is as low: a first maximum that every score replaces, without infinities.
constexpr float lowest_score = -1e30f;

/// Groups of tokens that are weighed together.
constexpr int groups_at_once = 2;

template <int Q>
struct attention_state {
  alignas(64) float sums[Q][max_head_dim];
  alignas(64) float weights[Q][groups_at_once * token_group];
  float peaks[Q];
  float totals[Q];
};

/// Lanes [from, until) of a group of tokens that the row sees.
struct seen_lanes {
  std::uint32_t from = 0;
  std::uint32_t until = 0;

  LORICA_KERNEL vec of(vec a, float other) const {
    const vec upper = first_lanes(a, until, other);
    return from == 0 ? upper : upper + first_lanes(splat(other) - upper, from, 0.0f);
  }
};

LORICA_KERNEL vec score_of(vec product, const attention_args& a) {
  const vec score = product * splat(a.scale);
  return a.softcap > 0 ? capped(score, a.softcap) : score;
}

/// Turns the scores of two groups into weights and rescales what was summed under a lower maximum.
template <int Q>
LORICA_KERNEL void weigh(attention_state<Q>& s, const vec (&scores)[groups_at_once][Q],
                         const attention_args& a, const seen_lanes (&seen)[groups_at_once]) {
  for (int h = 0; h < Q; ++h) {
    const vec low = seen[0].of(score_of(scores[0][h], a), lowest_score);
    const vec high = seen[1].of(score_of(scores[1][h], a), lowest_score);
    const float highest = peak(larger(splat(s.peaks[h]), larger(low, high)));
    const vec low_weight = seen[0].of(exponential(low - splat(highest)), 0.0f);
    const vec high_weight = seen[1].of(exponential(high - splat(highest)), 0.0f);
    store(s.weights[h], low_weight);
    store(s.weights[h] + token_group, high_weight);
    if (highest == s.peaks[h]) {  // what would be multiplied is multiplied by one
      s.totals[h] += sum(low_weight + high_weight);
      continue;
    }
    const vec keep = exponential(splat(s.peaks[h] - highest));
    float keep_lanes[16];
    store(keep_lanes, keep);
    s.totals[h] = s.totals[h] * keep_lanes[0] + sum(low_weight + high_weight);
    s.peaks[h] = highest;
    for (std::uint32_t d = 0; d < a.padded_dim; d += 16)
      store(&s.sums[h][d], load(&s.sums[h][d]) * keep);
  }
}

/// Adds the weighted values of up to sixteen tokens to V vectors of dimensions.
template <class Format, int Q, int V>
LORICA_KERNEL void add_values(attention_state<Q>& s, const typename Format::element* values, std::uint32_t d,
                              const attention_args& a, std::uint32_t group, std::uint32_t tokens) {
  vec sums[Q][V];
  for (int h = 0; h < Q; ++h)
    for (int v = 0; v < V; ++v)
      sums[h][v] = load(&s.sums[h][d + 16 * std::uint32_t(v)]);
  for (std::uint32_t t = 0; t < tokens; ++t)
    for (int v = 0; v < V; ++v) {
      const vec value =
          Format::load_values(values + std::size_t{t} * a.padded_dim + d + 16 * std::uint32_t(v));
      for (int h = 0; h < Q; ++h)
        sums[h][v] = fma(splat(s.weights[h][group * token_group + t]), value, sums[h][v]);
    }
  for (int h = 0; h < Q; ++h)
    for (int v = 0; v < V; ++v)
      store(&s.sums[h][d + 16 * std::uint32_t(v)], sums[h][v]);
}

template <class Format, int Q>
LORICA_KERNEL void add_group(attention_state<Q>& s, const typename Format::element* values,
                             const attention_args& a, std::uint32_t group, std::uint32_t tokens) {
  constexpr int wide = accumulators >= 4 * Q ? 4 : 1;
  std::uint32_t d = 0;
  for (; d + 16 * wide <= a.padded_dim; d += 16 * wide)
    add_values<Format, Q, wide>(s, values, d, a, group, tokens);
  for (; d < a.padded_dim; d += 16)
    add_values<Format, Q, 1>(s, values, d, a, group, tokens);
}

/// Where the keys and values of the group of tokens at position `at` lie.
template <class Format>
struct group_place {
  const typename Format::element* keys;
  const typename Format::element* values;

  LORICA_KERNEL group_place(const attention_args& a, std::uint32_t at) {
    const std::uint32_t within = at % a.block_tokens;
    keys = reinterpret_cast<const typename Format::element*>(a.cache +
                                                             a.blocks[at / a.block_tokens] * a.block_stride);
    values = keys + (std::size_t{a.block_tokens} + within) * a.padded_dim;
    keys += std::size_t{within} * a.padded_dim;
  }
};

/// Asks for the keys and values of two groups of tokens from position `at` on.
template <class Format>
LORICA_KERNEL void fetch_groups(const attention_args& a, std::uint32_t at) {
  const std::size_t bytes = std::size_t{token_group} * a.padded_dim * sizeof(typename Format::element);
  for (std::uint32_t next = at; next < at + groups_at_once * token_group && next < a.tokens;
       next += token_group) {
    const group_place<Format> place(a, next);
    const auto* keys = reinterpret_cast<const std::byte*>(place.keys);
    const auto* values = reinterpret_cast<const std::byte*>(place.values);
    for (std::size_t line = 0; line < bytes; line += 64) {
      __builtin_prefetch(keys + line);
      __builtin_prefetch(values + line);
    }
  }
}

template <class Format, int Q>
void attend(const attention_args& a, std::uint32_t first_head) {
  using element = typename Format::element;
  constexpr std::uint32_t step = Format::depth_step;
  const auto* q = static_cast<const element*>(a.q) + std::size_t{first_head} * a.padded_dim;
  attention_state<Q> s;
  for (int h = 0; h < Q; ++h) {
    s.peaks[h] = lowest_score;
    s.totals[h] = 0;
    for (std::uint32_t d = 0; d < a.padded_dim; d += 16)
      store(&s.sums[h][d], zero());
  }
  constexpr std::uint32_t at_once = groups_at_once * token_group;
  for (std::uint32_t done = a.first / at_once * at_once; done < a.tokens; done += at_once) {
    const std::uint32_t tokens = a.tokens - done < at_once ? a.tokens - done : at_once;
    if (a.cold) fetch_groups<Format>(a, done + at_once);
    const group_place<Format> low(a, done);
    // Where there is no second group its scores are those of the first, and all masked.
    const group_place<Format> high(a, tokens > token_group ? done + token_group : done);
    vec scores[groups_at_once][Q];
    for (int h = 0; h < Q; ++h)
      scores[0][h] = scores[1][h] = zero();
    for (std::uint32_t d = 0; d < a.padded_dim; d += step) {
      const auto low_keys = Format::load_weights(low.keys + std::size_t{d} * token_group);
      const auto high_keys = Format::load_weights(high.keys + std::size_t{d} * token_group);
      for (int h = 0; h < Q; ++h) {
        const auto x = Format::splat_input(q + std::size_t(h) * a.padded_dim + d);
        scores[0][h] = Format::step(low_keys, x, scores[0][h]);
        scores[1][h] = Format::step(high_keys, x, scores[1][h]);
      }
    }
    const std::uint32_t in_low = tokens < token_group ? tokens : token_group;
    const std::uint32_t unseen = a.first > done ? a.first - done : 0;
    const std::uint32_t unseen_low = unseen < token_group ? unseen : token_group;
    weigh<Q>(s, scores, a, {{unseen_low, in_low}, {unseen - unseen_low, tokens - in_low}});
    add_group<Format, Q>(s, low.values, a, 0, in_low);
    if (tokens > token_group) add_group<Format, Q>(s, high.values, a, 1, tokens - token_group);
  }
  for (int h = 0; h < Q; ++h) {
    auto* y = static_cast<element*>(a.y) + (std::size_t{first_head} + std::size_t(h)) * a.head_dim;
    const vec factor = splat(1.0f / s.totals[h]);
    for (std::uint32_t d = 0; d < a.head_dim; d += 16) {
      element narrow[16];
      Format::store_values(narrow, load(&s.sums[h][d]) * factor);
      const std::uint32_t n = a.head_dim - d < 16 ? a.head_dim - d : 16;
      __builtin_memcpy(y + d, narrow, n * sizeof(element));
    }
  }
}

template <class Format>
void attention(const attention_args& a) {
  std::uint32_t h = 0;
  for (; h + 4 <= a.heads; h += 4)
    attend<Format, 4>(a, h);
  switch (a.heads - h) {
    case 3: return attend<Format, 3>(a, h);
    case 2: return attend<Format, 2>(a, h);
    case 1: return attend<Format, 1>(a, h);
    default: return;
  }
}

}  // namespace
}  // namespace lorica
