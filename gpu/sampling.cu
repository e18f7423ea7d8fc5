// The token of a row, or what is told of one; shapes in sampling.hpp. A block of threads per row; how many is
// a function of the vocabulary only. A greedy row reads its pieces only; a sampled row walks over its weights
// once, and then over the pieces of the row that can hold what is looked for.
#include "gpu/sampling.hpp"

#include "gpu/launch.cuh"
#include "gpu/orders.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned most_threads = 512;
constexpr float not_a_number = __builtin_nanf("");

unsigned threads_for(std::uint32_t vocab) {
  unsigned out = warp_lanes;
  while (out < most_threads && out < summary_pieces(vocab) * warp_lanes)
    out *= 2;
  return out;
}

/// A row with what its pieces amount to.
struct row_state {
  const float* raw;
  const float* logits;  // that are chosen from
  const logit_piece* pieces;
  std::uint32_t vocab, known;
  double total;                // log_sum_exp of `raw`
  token_id likeliest, chosen;  // of all, and of what may be chosen; `no_token`: none
};

__device__ token_id place_of(unsigned long long key) {
  return key == ~0ull ? no_token : static_cast<token_id>(key & 0xffffffffu);
}

__device__ void join(row_state& row, selection_room& s) {
  const auto count = summary_pieces(row.vocab);
  auto any = ~0ull, chosen = ~0ull;
  for (auto i = threadIdx.x; i < count; i += blockDim.x) {
    const auto& p = row.pieces[i];
    const auto key = [](float peak, token_id at) {
      return at == no_token ? ~0ull : logit_key(peak, static_cast<std::uint32_t>(at));
    };
    any = min(any, key(p.peak, p.at));
    chosen = min(chosen, key(p.chosen_peak, p.chosen));
  }
  row.likeliest = place_of(least(any, s.room));
  row.chosen = place_of(least(chosen, s.room));
  const double peak = row.likeliest == no_token ? 0.0 : static_cast<double>(row.raw[row.likeliest]);
  double sum = 0;
  for (auto i = threadIdx.x; i < count; i += blockDim.x)
    sum += row.pieces[i].sum * exp(static_cast<double>(row.pieces[i].peak) - peak);
  row.total = peak + log(sum_threads(sum, s.double_room));
}

/// The goal that a share of a mass is, as the first sum that is at least as large; never nothing.
__device__ mass goal_of(float share, mass all) {
  const double goal = ceil(static_cast<double>(share) * static_cast<double>(all));
  return goal < 1 ? 1 : static_cast<mass>(goal);
}

/// The first sum that exceeds what was drawn.
__device__ mass goal_of_draw(double draw, mass all) {
  const auto at = static_cast<mass>(draw * static_cast<double>(all));
  return min(at + 1, all);
}

/// What top_k and top_p leave: the last token of it, and its mass.
__device__ selected narrowed(selection<by_logit>& tokens, const sampling_row& r) {
  selected out{last_key, tokens.total(), false};
  if (r.top_k != 0) out = tokens.find(measure::count, r.top_k);
  if (r.top_p < 1) out = tokens.find(measure::mass, goal_of(r.top_p, out.through));
  return out;
}

__device__ token_id draw_from_likeliest(const row_state& row, const by_logit& order, const sampling_row& r,
                                        selection_room& s) {
  selection tokens(order, row.logits, row.known, s);
  const auto kept = narrowed(tokens, r);
  return place_of(tokens.find(measure::mass, goal_of_draw(r.draw, kept.through)).key.low);
}

__device__ token_id draw_from_all(const row_state& row, const by_logit& order, const sampling_row& r,
                                  selection_room& s) {
  const by_id ids{order};
  selection tokens(ids, row.logits, row.known, s);
  return place_of(tokens.find(measure::mass, goal_of_draw(r.draw, tokens.total())).key.low);
}

/// The mean surprise of what is left, over the sum of its weights.
__device__ double mean_surprise(const row_state& row, const by_surprise& order, selection_room& s) {
  double weights = 0, surprises = 0;
  for (auto id = threadIdx.x; id < row.known; id += blockDim.x) {
    const float x = row.logits[id];
    if (!order.takes(x, id)) continue;
    const auto weight = static_cast<double>(order.weights.weight(x));
    weights += weight;
    surprises += weight * order.surprise(x);
  }
  return sum_threads(surprises, s.double_room) / sum_threads(weights, s.double_room);
}

__device__ token_id draw_from_typical(const row_state& row, const by_logit& weights, const sampling_row& r,
                                      selection_room& s) {
  const bool narrows = r.top_p < 1 || r.top_k != 0;
  by_surprise order{weights, ~0ull, narrows, 0};
  if (narrows) {
    selection tokens(weights, row.logits, row.known, s);
    order.last = narrowed(tokens, r).key.low;
  }
  order.mean = mean_surprise(row, order, s);
  selection tokens(order, row.logits, row.known, s);
  const auto last = tokens.find(measure::mass, goal_of(r.typical_p, tokens.total()));
  // What is as typical as the last one is kept too.
  mass more = 0;
  if (last.found)
    tokens.each(selection_bins, [&](float x, std::uint32_t id) {
      const auto key = order.key(x, id);
      if (key.high == last.key.high && last.key < key) more += order.share(x, id);
    });
  const auto kept = last.through + sum_threads(more, s.room);
  return place_of(tokens.find(measure::mass, goal_of_draw(r.draw, kept)).key.low);
}

__device__ token_id choose(const row_state& row, const sampling_row& r, selection_room& s) {
  if (r.sample == 0 || row.chosen == no_token) return row.chosen;
  const by_logit order{row.pieces, row.logits[row.chosen], r.temperature, r.min_p};
  token_id out;
  if (r.typical_p < 1)
    out = draw_from_typical(row, order, r, s);
  else if (r.top_p >= 1 && (r.top_k == 0 || r.top_k >= row.known))
    out = draw_from_all(row, order, r, s);
  else
    out = draw_from_likeliest(row, order, r, s);
  return out == no_token ? row.chosen : out;
}

__device__ float logprob_of(const row_state& row, std::uint32_t token) {
  return static_cast<float>(static_cast<double>(row.raw[token]) - row.total);
}

/// The place of the token by the raw logits, 1 for the likeliest.
__device__ std::uint32_t rank_of(const row_state& row, std::uint32_t token, selection_room& s) {
  const auto own = logit_key(row.raw[token], token);
  const auto ids = token < row.known ? row.known : row.vocab;
  mass before = 0;
  for (auto id = threadIdx.x; id < ids; id += blockDim.x)
    before += logit_key(row.raw[id], id) < own ? 1 : 0;
  return static_cast<std::uint32_t>(sum_threads(before, s.room)) + 1;
}

/// The `count` likeliest by the raw logits; how many there are.
__device__ std::uint32_t tell_top(const row_state& row, std::uint32_t count, token_logprob* top,
                                  selection_room& s) {
  const by_raw_logit order{row.pieces, row.raw[row.likeliest]};
  selection tokens(order, row.raw, row.known, s);
  const auto last = tokens.find(measure::count, count);
  const auto last_bin = last.found ? s.bin : selection_bins;
  __syncthreads();
  if (threadIdx.x == 0) s.elements = 0;
  __syncthreads();
  tokens.each(last_bin, [&](float x, std::uint32_t id) {
    const auto key = order.key(x, id);
    if (key <= last.key) s.keys[atomicAdd(&s.elements, 1u)] = key;
  });
  __syncthreads();
  for (auto i = threadIdx.x; i < s.elements; i += blockDim.x) {
    std::uint32_t before = 0;
    for (std::uint32_t j = 0; j < s.elements; ++j)
      before += s.keys[j] < s.keys[i] ? 1 : 0;
    const auto token = place_of(s.keys[i].low);
    top[before] = {token, logprob_of(row, static_cast<std::uint32_t>(token))};
  }
  return s.elements;
}

__global__ void __launch_bounds__(most_threads, 1) sampling_kernel(sampling_args a) {
  auto& s = *dynamic_shared<selection_room>();
  wait_for_previous();
  const std::size_t i = blockIdx.x;
  const auto r = a.readings[i];
  const bool scores = r.kind == reading_kind::score;
  if (!scores && r.kind != reading_kind::choose) return;
  row_state row{};
  row.raw = a.x + i * a.x_stride;
  row.logits = r.adjusted != 0 && !scores ? a.y + i * a.y_stride : row.raw;
  row.pieces = a.pieces + i * summary_pieces(a.vocab);
  row.vocab = a.vocab;
  row.known = a.token_ids == 0 ? a.vocab : a.token_ids;
  join(row, s);
  auto& out = a.results[i];
  const bool finite = fabs(row.total) < __builtin_huge_val();
  token_id token = scores ? r.scored : finite ? choose(row, r, s) : max(row.likeliest, token_id{0});
  const bool told = finite && token != no_token;
  std::uint32_t rank = 0, tops = 0;
  if (told && (scores || r.top != 0)) {
    rank = rank_of(row, static_cast<std::uint32_t>(token), s);
    if (r.top != 0) tops = tell_top(row, min(r.top, most_top_logprobs), out.top, s);
  }
  if (threadIdx.x != 0) return;
  out.token = token;
  out.logprob = told ? logprob_of(row, static_cast<std::uint32_t>(token)) : not_a_number;
  out.rank = rank;
  out.tops = tops;
}

}  // namespace

result<void> sample(const sampling_args& a, const stream& s) {
  const launch_shape shape{dim3(a.rows), dim3(threads_for(a.vocab)), sizeof(selection_room)};
  return launch("sampling", s, shape, sampling_kernel, a);
}

}  // namespace lorica::gpu
