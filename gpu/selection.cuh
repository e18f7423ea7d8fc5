#pragma once

// Which element of a row comes when the elements in front of it, in some order, have brought so much: what
// top-k, top-p, typical-p and a draw have in common. No sort: a histogram of the order says in which bin it
// lies; the bin is narrowed until its elements fit in shared memory, where each is compared with all.

#include <cstddef>
#include <cstdint>

#include "gpu/block_sum.cuh"
#include "gpu/peak.cuh"
#include "gpu/summary.hpp"

namespace lorica::gpu {

/// A share of a distribution, in units of 2^-44 of the likeliest token's weight.
using mass = unsigned long long;

__device__ inline mass mass_of(float weight) {
  return static_cast<mass>(weight * 0x1p44f);
}

/// Where an element stands in an order: ascending, no two alike.
struct order_key {
  unsigned long long high, low;
};
__device__ inline bool operator<(const order_key& a, const order_key& b) {
  return a.high != b.high ? a.high < b.high : a.low < b.low;
}
__device__ inline bool operator<=(const order_key& a, const order_key& b) {
  return !(b < a);
}
inline constexpr order_key last_key = {~0ull, ~0ull};

/// Elements (x, id) of a row in the order of their logits, the largest first and equal ones by id.
__device__ inline unsigned long long logit_key(float x, std::uint32_t id) {
  // Both zeros are equal.
  const auto bits = x == 0 ? 0u : __float_as_uint(x);
  const auto ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000u;
  return static_cast<unsigned long long>(~ascending) << 32 | id;
}

inline constexpr std::uint32_t selection_bins = 2048;
inline constexpr std::uint32_t selection_parts = 256;     // of a bin that is too large
inline constexpr std::uint32_t selection_elements = 512;  // that are compared with each other

/// Shared memory of a block that selects.
struct selection_room {
  mass masses[selection_bins];
  mass part_masses[selection_parts];
  order_key keys[selection_elements];
  mass key_masses[selection_elements];
  mass room[warp_lanes];
  double double_room[warp_lanes];
  order_key found;
  mass before, within;
  std::uint32_t counts[selection_bins];
  std::uint32_t part_counts[selection_parts];
  std::uint32_t bin, elements;
};

/// The element that was looked for, and the mass up to and including it.
struct selected {
  order_key key;
  mass through;
  bool found;
};

/// What is measured in front of an element.
enum class measure : std::uint8_t { count, mass };

/// The elements of one row in the order `Order`, which says of an element (x, id): `takes` (it is one),
/// `bin` < selection_bins (ascending in the order), `key`, `share` (its mass, > 0); and `skips` where a piece
/// of the row has nothing in bins up to one. `Order::by_piece`: the bins are the pieces. Every thread of the
/// block calls.
template <class Order>
class selection {
 public:
  __device__ selection(const Order& order, const float* row, std::uint32_t ids, selection_room& room)
      : order_(order), row_(row), ids_(ids), s_(room) {
    fill();
  }

  /// The mass of all elements.
  __device__ mass total() const { return total_; }

  /// The first element with which the measure reaches `goal` >= 1; none when all do not.
  __device__ selected find(measure by, mass goal) {
    if (!find_in(s_.masses, s_.counts, selection_bins, by, 0, goal, s_.bin)) return {last_key, total_, false};
    const auto bin = s_.bin;
    auto n = s_.counts[bin];
    auto before = s_.before;       // in the measure
    auto mass_before = s_.within;  // in mass
    range limits = n > selection_elements ? bounds(bin) : range{{0, 0}, last_key};
    while (n > selection_elements)
      n = narrow(bin, limits, by, before, mass_before, goal);
    gather(bin, limits);
    compare(by, goal - before, mass_before);
    const selected out{s_.found, s_.within, true};
    __syncthreads();
    return out;
  }

  /// Calls `f(x, id)` for every element of the bins up to `last_bin`, and perhaps for some behind them.
  template <class F>
  __device__ void each(std::uint32_t last_bin, F f) const {
    walk(last_bin, [&](float x, std::uint32_t id) {
      if (order_.takes(x, id)) f(x, id);
    });
  }

 private:
  struct range {
    order_key first, last;
    __device__ bool holds(const order_key& k) const { return first <= k && k <= last; }
  };

  template <class F>
  __device__ void walk(std::uint32_t last_bin, F f) const {
    const auto pieces = summary_pieces(ids_);
    for (auto piece = warp(); piece < pieces; piece += warps()) {
      if (order_.skips(piece, last_bin)) continue;
      const auto first = piece * summary_logits, last = min(first + summary_logits, ids_);
      for (auto id = first + lane(); id < last; id += warp_lanes)
        f(row_[id], id);
    }
  }

  /// The elements of one bin, the cheaper question first.
  template <class F>
  __device__ void each_in(std::uint32_t bin, F f) const {
    walk(bin, [&](float x, std::uint32_t id) {
      if (order_.bin(x, id) == bin && order_.takes(x, id)) f(order_.key(x, id), order_.share(x, id));
    });
  }

  __device__ void fill() {
    __syncthreads();
    for (auto i = threadIdx.x; i < selection_bins; i += blockDim.x) {
      s_.masses[i] = 0;
      s_.counts[i] = 0;
    }
    __syncthreads();
    if constexpr (Order::by_piece) {
      fill_pieces();
    } else {
      each(selection_bins, [&](float x, std::uint32_t id) {
        const auto bin = order_.bin(x, id);
        atomicAdd(&s_.masses[bin], order_.share(x, id));
        atomicAdd(&s_.counts[bin], 1u);
      });
    }
    __syncthreads();
    mass sum = 0;
    for (auto i = threadIdx.x; i < selection_bins; i += blockDim.x)
      sum += s_.masses[i];
    total_ = sum_threads(sum, s_.room);
  }

  /// The same where a warp has a whole bin to itself: nothing is added by several threads.
  __device__ void fill_pieces() {
    const auto pieces = summary_pieces(ids_);
    for (auto piece = warp(); piece < pieces; piece += warps()) {
      const auto first = piece * summary_logits, last = min(first + summary_logits, ids_);
      mass sum = 0;
      std::uint32_t count = 0;
      for (auto id = first + lane(); id < last; id += warp_lanes) {
        if (!order_.takes(row_[id], id)) continue;
        sum += order_.share(row_[id], id);
        ++count;
      }
      sum = sum_warp(sum);
      count = sum_warp(count);
      if (lane() != 0) continue;
      s_.masses[piece] = sum;
      s_.counts[piece] = count;
    }
  }

  /// Looks for the place of `size` where the measure reaches `goal`, `before` having been there already:
  /// `place`, `s_.before` and `s_.within` become it and what lies before it in the measure and in mass, the
  /// latter without what was there already.
  __device__ bool find_in(const mass* masses, const std::uint32_t* counts, std::uint32_t size, measure by,
                          mass before, mass goal, std::uint32_t& place) {
    const auto each = (size + blockDim.x - 1) / blockDim.x;
    const auto first = min(threadIdx.x * each, size), last = min(first + each, size);
    mass own = 0, own_mass = 0;
    for (auto i = first; i < last; ++i) {
      own += by == measure::mass ? masses[i] : counts[i];
      own_mass += masses[i];
    }
    mass all = 0, ignored = 0;
    auto running = before + sum_before(own, s_.room, all);
    auto running_mass = sum_before(own_mass, s_.room, ignored);
    for (auto i = first; i < last; ++i) {
      const mass step = by == measure::mass ? masses[i] : counts[i];
      if (running < goal && running + step >= goal) {
        place = i;
        s_.before = running;
        s_.within = running_mass;
      }
      running += step;
      running_mass += masses[i];
    }
    __syncthreads();
    return before + all >= goal;
  }

  /// The least and the largest key of a bin, of each half by itself.
  __device__ range bounds(std::uint32_t bin) {
    range r{last_key, {0, 0}};
    each_in(bin, [&](const order_key& k, mass) {
      r.first = {min(r.first.high, k.high), min(r.first.low, k.low)};
      r.last = {max(r.last.high, k.high), max(r.last.low, k.low)};
    });
    return {{least(r.first.high, s_.room), least(r.first.low, s_.room)},
            {~least(~r.last.high, s_.room), ~least(~r.last.low, s_.room)}};
  }

  /// Leaves of the range one part in which `goal` is reached; gives how many elements it has.
  __device__ std::uint32_t narrow(std::uint32_t bin, range& r, measure by, mass& before, mass& mass_before,
                                  mass goal) {
    const bool high = r.first.high != r.last.high;
    const auto from = high ? r.first.high : r.first.low, to = high ? r.last.high : r.last.low;
    unsigned shift = 0;
    while ((to - from) >> shift >= selection_parts)
      ++shift;
    __syncthreads();
    for (auto i = threadIdx.x; i < selection_parts; i += blockDim.x) {
      s_.part_masses[i] = 0;
      s_.part_counts[i] = 0;
    }
    __syncthreads();
    each_in(bin, [&](const order_key& k, mass share) {
      if (!r.holds(k)) return;
      const auto part = ((high ? k.high : k.low) - from) >> shift;
      atomicAdd(&s_.part_masses[part], share);
      atomicAdd(&s_.part_counts[part], 1u);
    });
    __syncthreads();
    find_in(s_.part_masses, s_.part_counts, selection_parts, by, before, goal, s_.elements);
    const auto part = s_.elements;
    before = s_.before;
    mass_before += s_.within;
    const auto begin = from + (static_cast<unsigned long long>(part) << shift);
    const auto end = min(to, begin + ((1ull << shift) - 1));
    (high ? r.first.high : r.first.low) = begin;
    (high ? r.last.high : r.last.low) = end;
    return s_.part_counts[part];
  }

  /// The elements of the range, in any order.
  __device__ void gather(std::uint32_t bin, const range& r) {
    __syncthreads();
    if (threadIdx.x == 0) s_.elements = 0;
    __syncthreads();
    each_in(bin, [&](const order_key& k, mass share) {
      if (!r.holds(k)) return;
      const auto at = atomicAdd(&s_.elements, 1u);
      s_.keys[at] = k;
      s_.key_masses[at] = share;
    });
    __syncthreads();
  }

  /// The one of the gathered elements with which the measure reaches `goal`.
  __device__ void compare(measure by, mass goal, mass mass_before) {
    for (auto i = threadIdx.x; i < s_.elements; i += blockDim.x) {
      const auto own = s_.keys[i];
      mass through = 0;
      std::uint32_t count = 0;
      for (std::uint32_t j = 0; j < s_.elements; ++j) {
        if (own < s_.keys[j]) continue;
        through += s_.key_masses[j];
        ++count;
      }
      const mass reached = by == measure::mass ? through : count;
      const mass step = by == measure::mass ? s_.key_masses[i] : 1;
      if (reached >= goal && reached - step < goal) {
        s_.found = own;
        s_.within = mass_before + through;
      }
    }
    __syncthreads();
  }

  const Order& order_;
  const float* row_;
  std::uint32_t ids_;
  selection_room& s_;
  mass total_ = 0;
};

}  // namespace lorica::gpu
