#pragma once

// Body of attention.hpp for one set of instructions, whatever K and V are kept as; included after
// softcap_kernel.hpp. A `Cache` says how they are: attention_values_kernel.hpp, attention_codes_kernel.hpp.
//
// Scores: the lanes are sixteen tokens, so a score is one chain over the head's dimensions. Values: the lanes
// are dimensions, so an output is one chain over the tokens. Q queries (heads of some rows) share every load
// of K and V. Two groups of tokens go together: chains enough to hide the latency of a multiply-add, and half
// the rescaling.

namespace lorica {
namespace {

/// No score is as low: a first maximum that every score replaces, without infinities.
constexpr float lowest_score = -1e30f;

/// Groups of tokens that are weighed together.
constexpr int groups_at_once = 2;
constexpr std::uint32_t tokens_at_once = groups_at_once * token_group;

template <class Cache, int Q>
struct attention_state {
  alignas(64) float sums[Q][max_head_dim];
  alignas(64) float totals[Q][token_group];
  alignas(64) typename Cache::weights weights[Q];  // of the tokens at hand
  float peaks[Q];
};

/// Q neighbouring queries, those of a row together: which they are, and what each sees.
template <class Cache, int Q>
struct queries {
  using query = typename Cache::query;
  using element = typename Cache::format::element;
  const query* q[Q];
  element* y[Q];
  std::uint32_t first[Q];
  std::uint32_t tokens[Q];
  std::uint32_t whole_from, whole_until;  // what all of them see

  LORICA_KERNEL queries(const attention_args& a, std::uint32_t number) {
    std::uint32_t row = number / a.heads;
    std::uint32_t head = number % a.heads;
    whole_from = 0;
    whole_until = a.seen.tokens;
    for (int i = 0; i < Q; ++i) {
      q[i] = static_cast<const query*>(a.q) + row * a.q_stride +
             std::size_t{head} * Cache::query_width(a.padded_dim);
      y[i] = static_cast<element*>(a.y) + row * a.y_stride + std::size_t{head} * a.head_dim;
      tokens[i] = a.seen.tokens - (a.rows - 1 - row);
      first[i] = a.window != 0 && tokens[i] > a.window ? tokens[i] - a.window : 0;
      if (first[i] > whole_from) whole_from = first[i];
      if (tokens[i] < whole_until) whole_until = tokens[i];
      if (++head == a.heads) head = 0, ++row;
    }
  }
};

/// Lanes [from, until) of a group of tokens that a query sees.
struct seen_lanes {
  std::uint32_t from = 0;
  std::uint32_t until = token_group;

  /// All of them, known to the compiler.
  LORICA_KERNEL seen_lanes() = default;

  /// Of the group at position `at`.
  LORICA_KERNEL seen_lanes(std::uint32_t at, std::uint32_t first, std::uint32_t tokens)
      : from(within(at, first)), until(within(at, tokens)) {}

  LORICA_KERNEL vec of(vec a, float other) const {
    const vec upper = first_lanes(a, until, other);
    return from == 0 ? upper : upper + first_lanes(splat(other) - upper, from, 0.0f);
  }

 private:
  static LORICA_KERNEL std::uint32_t within(std::uint32_t at, std::uint32_t position) {
    return position <= at ? 0 : position - at < token_group ? position - at : token_group;
  }
};

/// Scores as they are compared, whose weights are 2^(unit * (score - highest score)).
struct score_rule {
  static constexpr float log2_e = 1.44269504088896341f;
  float scale, softcap, unit;

  /// Without a cap, products are scores already.
  LORICA_KERNEL explicit score_rule(const attention_args& a)
      : scale(a.scale), softcap(a.softcap), unit(log2_e * (a.softcap > 0 ? 1 : a.scale)) {}

  LORICA_KERNEL vec score(vec product) const {
    return softcap > 0 ? capped(product * splat(scale), softcap) : product;
  }
  LORICA_KERNEL vec weight(vec score, float highest) const {
    return power_of_two(fma(score, splat(unit), splat(-highest * unit)));
  }
};

/// Weights of sixteen tokens, zero where a query does not see them.
struct seen_weights {
  seen_lanes seen;
  vec weights;
};

/// Walks over what a row sees, two groups of tokens at a time.
class pair_walk {
 public:
  LORICA_KERNEL pair_walk(const attention_args& a, const seen_tokens& seen)
      : seen_(&seen), at_(seen.first / tokens_at_once * tokens_at_once), block_tokens_(a.block_tokens) {
    block_ = at_ / block_tokens_;
    within_ = at_ % block_tokens_;
  }

  LORICA_KERNEL bool done() const { return at_ >= seen_->tokens; }
  LORICA_KERNEL std::uint32_t at() const { return at_; }

  /// The block that holds the group at hand, for this head and layer.
  LORICA_KERNEL const std::byte* block(const attention_args& a) const {
    return seen_->cache + seen_->blocks[block_] * a.block_stride;
  }
  LORICA_KERNEL std::uint32_t within() const { return within_; }

  LORICA_KERNEL void next_group() {
    at_ += token_group;
    within_ += token_group;
    if (within_ == block_tokens_) within_ = 0, ++block_;
  }

 private:
  const seen_tokens* seen_;
  std::uint32_t at_, block_, within_, block_tokens_;
};

/// Two groups of tokens: where they lie, and how many of each there are.
template <class Cache>
struct token_pair {
  using element = typename Cache::element;
  const element* keys[groups_at_once] = {};
  const element* values[groups_at_once] = {};
  std::uint32_t at;
  std::uint32_t tokens[groups_at_once];

  /// Those at `walk`, which is moved on.
  LORICA_KERNEL token_pair(const attention_args& a, const seen_tokens& seen, pair_walk& walk)
      : at(walk.at()) {
    std::uint32_t left = seen.tokens - walk.at();
    for (int g = 0; g < groups_at_once; ++g) {
      tokens[g] = left < token_group ? left : token_group;
      left -= tokens[g];
      if (tokens[g] == 0) {  // its scores are those of the first, and all masked
        keys[g] = keys[0];
        values[g] = values[0];
        continue;
      }
      const auto* block = reinterpret_cast<const element*>(walk.block(a));
      const std::size_t key = Cache::key_width(a.padded_dim);
      keys[g] = block + walk.within() * key;
      values[g] = block + a.block_tokens * key + walk.within() * Cache::value_width(a.padded_dim);
      walk.next_group();
    }
  }
};

/// Products of Q queries and a pair, summed in registers.
template <class Cache, int Q>
LORICA_KERNEL void multiply(const attention_args& a, const queries<Cache, Q>& of,
                            const token_pair<Cache>& pair, const token_pair<Cache>& ahead,
                            float (&scores)[groups_at_once][Q][token_group]) {
  vec sums[groups_at_once][Q];
  for (int h = 0; h < Q; ++h)
    sums[0][h] = sums[1][h] = zero();
  Cache::template multiply_keys<Q>(a, of, pair, ahead, sums);
  for (int h = 0; h < Q; ++h) {
    store(scores[0][h], sums[0][h]);
    store(scores[1][h], sums[1][h]);
  }
}

/// What was summed under a lower maximum, for a query whose highest score is now `highest`.
template <class Cache, int Q>
LORICA_KERNEL void rescale(attention_state<Cache, Q>& s, int h, float highest, const score_rule& rule,
                           std::uint32_t padded_dim) {
  const vec keep = rule.weight(splat(s.peaks[h]), highest);
  s.peaks[h] = highest;
  store(s.totals[h], load(s.totals[h]) * keep);
  for (std::uint32_t d = 0; d < padded_dim; d += 16)
    store(&s.sums[h][d], load(&s.sums[h][d]) * keep);
}

/// Turns the scores of two groups into weights. Highest scores are searched for where one is above the
/// highest before, which is seldom: nobody waits for the search. `Whole`: every query sees all of the pair.
template <bool Whole, class Cache, int Q>
LORICA_KERNEL void weigh(attention_state<Cache, Q>& s, const float (&scores)[groups_at_once][Q][token_group],
                         const attention_args& a, const score_rule& rule, const queries<Cache, Q>& of,
                         const token_pair<Cache>& pair) {
  for (int h = 0; h < Q; ++h) {
    const auto in_low = Whole ? seen_lanes() : seen_lanes(pair.at, of.first[h], of.tokens[h]);
    const auto in_high = Whole ? seen_lanes() : seen_lanes(pair.at + token_group, of.first[h], of.tokens[h]);
    const vec low = in_low.of(rule.score(load(scores[0][h])), lowest_score);
    const vec high = in_high.of(rule.score(load(scores[1][h])), lowest_score);
    const vec most = larger(low, high);
    if (any_above(most, splat(s.peaks[h]))) rescale<Cache, Q>(s, h, peak(most), rule, a.padded_dim);
    const vec low_weight = in_low.of(rule.weight(low, s.peaks[h]), 0.0f);
    const vec high_weight = in_high.of(rule.weight(high, s.peaks[h]), 0.0f);
    Cache::keep(s.weights[h], pair, a, {in_low, low_weight}, {in_high, high_weight});
    store(s.totals[h], load(s.totals[h]) + (low_weight + high_weight));
  }
}

/// What is asked for while a pair is worked on: the one that comes `tokens_ahead` later, of this row or of
/// the work behind it, line by line beside the reads, so that none has to wait for many.
template <class Cache>
class pairs_ahead {
 public:
  LORICA_KERNEL explicit pairs_ahead(const attention_args& a)
      : seen_(&a.seen), walk_(a, a.seen), last_(!a.next.cache) {
    for (std::uint32_t skipped = 0; skipped < tokens_ahead && !walk_.done(); skipped += token_group)
      walk_.next_group();
  }

  /// The next of them; where there is none, what is at hand is asked for again.
  LORICA_KERNEL token_pair<Cache> next(const attention_args& a, const token_pair<Cache>& at_hand) {
    if (walk_.done() && !last_) {
      last_ = true;
      seen_ = &a.next;
      walk_ = pair_walk(a, a.next);
    }
    if (walk_.done()) return at_hand;
    const token_pair<Cache> out(a, *seen_, walk_);
    return seen_ == &a.next || a.cold ? out : at_hand;
  }

 private:
  const seen_tokens* seen_;
  pair_walk walk_;
  bool last_;
};

template <class Cache, int Q>
LORICA_KERNEL void add_pair(attention_state<Cache, Q>& s, const token_pair<Cache>& pair,
                            const token_pair<Cache>& ahead, const attention_args& a) {
  constexpr int most = Cache::most_sums;
  constexpr int wide = most >= 4 * Q ? 4 : most >= 2 * Q ? 2 : 1;
  std::uint32_t d = 0;
  for (; d + 16 * wide <= a.padded_dim; d += 16 * wide)
    Cache::template add_values<Q, wide>(s, pair, d, ahead, a);
  for (; d < a.padded_dim; d += 16)
    Cache::template add_values<Q, 1>(s, pair, d, ahead, a);
}

/// The scores of the next pair are begun before this one's are weighed: exponentials and the search for the
/// highest are long chains, beside which they cost nothing.
template <class Cache, int Q>
void attend(const attention_args& a, std::uint32_t number) {
  const queries<Cache, Q> of(a, number);
  attention_state<Cache, Q> s;
  for (int h = 0; h < Q; ++h) {
    s.peaks[h] = lowest_score;
    store(s.totals[h], zero());
    for (std::uint32_t d = 0; d < a.padded_dim; d += 16)
      store(&s.sums[h][d], zero());
  }
  pair_walk walk(a, a.seen);
  pairs_ahead<Cache> later(a);
  token_pair<Cache> pair(a, a.seen, walk);
  token_pair<Cache> ahead = later.next(a, pair);
  const score_rule rule(a);
  alignas(64) float scores[2][groups_at_once][Q][token_group];  // of the pair at hand and of the next one
  int now = 0;
  multiply<Cache, Q>(a, of, pair, ahead, scores[now]);
  for (bool last = false; !last; now ^= 1) {
    last = walk.done();
    const token_pair<Cache> behind = last ? pair : token_pair<Cache>(a, a.seen, walk);
    const token_pair<Cache> ahead_of_it = last ? ahead : later.next(a, behind);
    if (!last) multiply<Cache, Q>(a, of, behind, ahead_of_it, scores[now ^ 1]);
    if (pair.at >= of.whole_from && pair.at + tokens_at_once <= of.whole_until)
      weigh<true, Cache, Q>(s, scores[now], a, rule, of, pair);
    else
      weigh<false, Cache, Q>(s, scores[now], a, rule, of, pair);
    add_pair<Cache, Q>(s, pair, ahead, a);
    pair = behind;
    ahead = ahead_of_it;
  }
  for (int h = 0; h < Q; ++h) {
    const vec factor = splat(1.0f / sum(load(s.totals[h])));
    for (std::uint32_t d = 0; d < a.head_dim; d += 16) {
      typename Cache::format::element narrow[16];
      Cache::format::store_values(narrow, load(&s.sums[h][d]) * factor);
      const std::uint32_t n = a.head_dim - d < 16 ? a.head_dim - d : 16;
      __builtin_memcpy(of.y[h] + d, narrow, n * sizeof narrow[0]);
    }
  }
}

/// As many at once as there are accumulators for two groups of tokens.
template <class Cache, int Q = accumulators / groups_at_once>
LORICA_KERNEL void attend_from(const attention_args& a, std::uint32_t number, std::uint32_t all) {
  for (; number + Q <= all; number += Q)
    attend<Cache, Q>(a, number);
  if constexpr (Q > 4)
    attend_from<Cache, Q / 2>(a, number, all);
  else if constexpr (Q > 1)
    attend_from<Cache, Q - 1>(a, number, all);
}

}  // namespace
}  // namespace lorica
