#pragma once

// Body of attention.hpp for one set of instructions; included after format_kernel.hpp.
//
// Scores: the lanes are sixteen tokens, so a score is one chain over the head's dimensions. Values: the lanes
// are dimensions, so an output is one chain over the tokens. Q query heads share every load of K and V.

namespace lorica {
namespace {

/// No score is as low: a first maximum that every score replaces, without infinities.
constexpr float lowest_score = -1e30f;

template <int Q>
struct attention_state {
  alignas(64) float sums[Q][max_head_dim];
  alignas(64) float weights[Q][token_group];
  float peaks[Q];
  float totals[Q];
};

/// Turns sixteen scores into weights and rescales what was summed under a lower maximum.
template <int Q>
LORICA_KERNEL void weigh(attention_state<Q>& s, const vec (&scores)[Q], const attention_args& a,
                         std::uint32_t tokens) {
  for (int h = 0; h < Q; ++h) {
    const vec score = first_lanes(scores[h] * splat(a.scale), tokens, lowest_score);
    const float highest = peak(larger(splat(s.peaks[h]), score));
    const vec weight = first_lanes(exponential(score - splat(highest)), tokens, 0.0f);
    const vec keep = exponential(splat(s.peaks[h] - highest));
    float keep_lanes[16];
    store(keep_lanes, keep);
    s.totals[h] = s.totals[h] * keep_lanes[0] + sum(weight);
    s.peaks[h] = highest;
    store(s.weights[h], weight);
    for (std::uint32_t d = 0; d < a.padded_dim; d += 16)
      store(&s.sums[h][d], load(&s.sums[h][d]) * keep);
  }
}

template <class Format, int Q>
LORICA_KERNEL void add_values(attention_state<Q>& s, const typename Format::element* values,
                              const attention_args& a, std::uint32_t tokens) {
  for (std::uint32_t d = 0; d < a.padded_dim; d += 16) {
    vec sums[Q];
    for (int h = 0; h < Q; ++h)
      sums[h] = load(&s.sums[h][d]);
    for (std::uint32_t t = 0; t < tokens; ++t) {
      const vec v = Format::load_values(values + std::size_t{t} * a.padded_dim + d);
      for (int h = 0; h < Q; ++h)
        sums[h] = fma(splat(s.weights[h][t]), v, sums[h]);
    }
    for (int h = 0; h < Q; ++h)
      store(&s.sums[h][d], sums[h]);
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
  for (std::uint32_t done = 0; done < a.tokens; done += token_group) {
    const std::uint32_t tokens = a.tokens - done < token_group ? a.tokens - done : token_group;
    const std::uint32_t within = done % a.block_tokens;
    const auto* keys =
        reinterpret_cast<const element*>(a.cache + a.blocks[done / a.block_tokens] * a.block_stride);
    const auto* values = keys + (std::size_t{a.block_tokens} + within) * a.padded_dim;
    keys += std::size_t{within} * a.padded_dim;
    vec scores[Q];
    for (int h = 0; h < Q; ++h)
      scores[h] = zero();
    for (std::uint32_t d = 0; d < a.padded_dim; d += step) {
      const auto k = Format::load_weights(keys + std::size_t{d} * token_group);
      for (int h = 0; h < Q; ++h)
        scores[h] = Format::step(k, Format::splat_input(q + std::size_t(h) * a.padded_dim + d), scores[h]);
    }
    weigh<Q>(s, scores, a, tokens);
    add_values<Format, Q>(s, values, a, tokens);
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
