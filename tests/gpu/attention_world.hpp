#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "gpu/attention.hpp"
#include "tests/gpu/test_device.hpp"

namespace lorica::testing {

/// Heads and how they see.
struct attention_kind {
  std::uint32_t heads = 4, kv_heads = 2, dim = 40, block_tokens = 16;
  std::uint32_t window = 0;
  float softcap = 0;
};

/// Rows of one sequence in a step, behind `context` tokens.
struct attention_rows {
  std::uint32_t context = 0, rows = 1;
};

/// Sequences in a scattered cache on the device, and the rows of a step with their queries. What was never
/// written is no number: what lies behind a sequence's last token, in its last block and elsewhere.
class attention_world {
 public:
  attention_kind kind;
  std::vector<attention_rows> sequences;
  std::vector<std::uint32_t> positions, first_block, words, sequence_of;
  std::vector<float> q, keys, values;  // [row][head][padded]; [sequence][token][kv head][dim]
  std::vector<std::size_t> first_token;
  std::vector<gpu::row_tile> tiles;  // of all sequences
  std::uint32_t most = 0;            // positions that a row sees
  gpu::attention_args args;

  attention_world(test_device& device, attention_kind k, std::vector<attention_rows> all)
      : kind(k), sequences(std::move(all)), device_(device) {
    lay_out();
    fill();
    put();
  }

  std::uint32_t rows() const { return static_cast<std::uint32_t>(positions.size()); }
  std::uint32_t padded() const { return (kind.dim + 15) / 16 * 16; }
  std::size_t outputs() const { return rows() * args.y_stride; }

  /// Element of a token's keys in the cache of `args.kv`.
  std::size_t place(std::size_t sequence, std::uint32_t token, std::uint32_t kv_head) const {
    const auto block = words[tables_[sequence] + token / kind.block_tokens];
    return block * args.kv.block_stride + kv_head * args.kv.head_stride +
           std::size_t{token % kind.block_tokens} * padded();
  }

  /// y of a row and head, in double, by the definition.
  std::vector<double> expected(std::uint32_t row, std::uint32_t head) const {
    const auto sequence = sequence_of[row];
    const auto kv_head = head / (kind.heads / kind.kv_heads);
    const auto seen = positions[row] + 1;
    std::vector<double> weights, out(kind.dim);
    double highest = -1e300, total = 0;
    const auto first = kind.window != 0 && seen > kind.window ? seen - kind.window : 0;
    for (auto t = first; t < seen; ++t) {
      double score = 0;
      for (std::uint32_t d = 0; d < kind.dim; ++d)
        score += static_cast<double>(q[(row * kind.heads + head) * padded() + d]) *
                 static_cast<double>(keys[at(sequence, t, kv_head) + d]);
      score *= static_cast<double>(args.scale);
      const auto cap = static_cast<double>(kind.softcap);
      if (cap > 0) score = cap * std::tanh(score / cap);
      weights.push_back(score);
      highest = std::max(highest, score);
    }
    for (auto& w : weights)
      total += w = std::exp(w - highest);
    for (auto t = first; t < seen; ++t)
      for (std::uint32_t d = 0; d < kind.dim; ++d)
        out[d] += weights[t - first] / total * static_cast<double>(values[at(sequence, t, kv_head) + d]);
    return out;
  }

  std::size_t at(std::size_t sequence, std::uint32_t token, std::uint32_t kv_head) const {
    return ((first_token[sequence] + token) * kind.kv_heads + kv_head) * kind.dim;
  }

  /// All rows one by one, in so many parts.
  std::vector<gpu::bfloat> decode(std::uint32_t parts, const std::vector<std::uint32_t>& rows_in_order = {}) {
    clear();
    gpu::decode_rows list;
    list.count = rows();
    if (!rows_in_order.empty()) {
      list.rows = device_.put(rows_in_order);
      list.count = static_cast<std::uint32_t>(rows_in_order.size());
    }
    list.parts = parts;
    list.max_positions = most;
    if (parts > 1) {
      auto floats = gpu::attention_partial_floats(list.count, kind.heads, kind.dim, most);
      if (floats > partial_floats_) {
        partials_ = device_.room<float>(floats);
        partial_floats_ = floats;
      }
      list.partials = partials_;
    }
    must(gpu::attend_decode(args, list, device_.stream));
    return device_.get(args.y, outputs());
  }

  /// All rows in tiles of up to `tile` rows, with so much shared memory.
  std::vector<gpu::bfloat> prefill(std::uint32_t tile, std::uint32_t shared_bytes = 227u << 10) {
    clear();
    std::vector<gpu::row_tile> cut;
    for (auto& whole : tiles)
      for (std::uint32_t first = 0; first < whole.rows; first += tile)
        cut.push_back({whole.first_row + first, std::min(tile, whole.rows - first), whole.position + first,
                       whole.first_block});
    gpu::device_properties p;
    p.shared_bytes = shared_bytes;
    must(gpu::attend_prefill(args, device_.put(cut), static_cast<std::uint32_t>(cut.size()), p,
                             device_.stream));
    return device_.get(args.y, outputs());
  }

  /// Puts `value` into the cache on the device instead of a key and a value.
  void spoil(std::size_t sequence, std::uint32_t token, float value) {
    for (std::uint32_t h = 0; h < kind.kv_heads; ++h)
      for (std::uint32_t d = 0; d < kind.dim; ++d) {
        cache_[place(sequence, token, h) + d] = gpu::to_bfloat(value);
        cache_[place(sequence, token, h) + args.kv.value_offset + d] = gpu::to_bfloat(value);
      }
    args.kv.data = device_.put(cache_);
  }

 private:
  void lay_out() {
    constexpr std::uint32_t other_words = 5;
    words.assign(other_words, 0xffffffffu);
    std::uint32_t blocks = 0, tokens = 0;
    for (auto& s : sequences)
      blocks += (s.context + s.rows + kind.block_tokens - 1) / kind.block_tokens;
    blocks_ = blocks + 2;
    std::vector<std::uint32_t> order(blocks_);
    for (std::uint32_t i = 0; i < blocks_; ++i)
      order[i] = i;
    std::shuffle(order.begin(), order.end(), std::mt19937(7));
    for (std::uint32_t i = 0, used = 0; i < sequences.size(); ++i) {
      auto& s = sequences[i];
      const auto all = s.context + s.rows;
      const auto table = static_cast<std::uint32_t>(words.size());
      tables_.push_back(table);
      first_token.push_back(tokens);
      tokens += all;
      most = std::max(most, all);
      for (std::uint32_t first = 0; first < s.rows; first += gpu::tile_rows)
        tiles.push_back({rows() + first, std::min(gpu::tile_rows, s.rows - first), s.context + first, table});
      for (std::uint32_t b = 0; b * kind.block_tokens < all; ++b)
        words.push_back(order[used++]);
      for (std::uint32_t r = 0; r < s.rows; ++r) {
        positions.push_back(s.context + r);
        first_block.push_back(table);
        sequence_of.push_back(i);
      }
    }
    words.insert(words.end(), other_words, 0xffffffffu);
    const std::size_t kv = std::size_t{tokens} * kind.kv_heads * kind.dim;
    keys = exact_numbers(kv, 21);
    values = exact_numbers(kv, 22);
  }

  void fill() {
    const auto head = std::size_t{kind.block_tokens} * padded();
    args.kv.head_stride = 2 * head;
    args.kv.value_offset = head;
    args.kv.block_stride = args.kv.head_stride * kind.kv_heads + 8;
    args.kv.block_tokens = kind.block_tokens;
    args.kv.padded_dim = padded();
    cache_.assign(blocks_ * args.kv.block_stride, gpu::bfloat{0x7fff});
    for (std::size_t s = 0; s < sequences.size(); ++s)
      for (std::uint32_t t = 0; t < sequences[s].context + sequences[s].rows; ++t)
        for (std::uint32_t h = 0; h < kind.kv_heads; ++h)
          for (std::uint32_t d = 0; d < padded(); ++d) {
            const bool there = d < kind.dim;
            auto* to = &cache_[place(s, t, h) + d];
            to[0] = gpu::to_bfloat(there ? keys[at(s, t, h) + d] : 0.0f);
            to[args.kv.value_offset] = gpu::to_bfloat(there ? values[at(s, t, h) + d] : 0.0f);
          }
    q = exact_numbers(std::size_t{rows()} * kind.heads * padded(), 23);
    for (std::size_t i = 0; i < q.size(); ++i)
      q[i] = i % padded() < kind.dim ? 4 * q[i] : 0.0f;  // weights that differ
  }

  void put() {
    args.heads = kind.heads;
    args.kv_heads = kind.kv_heads;
    args.head_dim = kind.dim;
    args.window = kind.window;
    args.softcap = kind.softcap;
    args.scale = 1 / std::sqrt(static_cast<float>(kind.dim));
    args.q_stride = std::size_t{kind.heads} * padded() + 8;
    std::vector<gpu::bfloat> rows_of_q(rows() * args.q_stride, gpu::bfloat{0x7fff});
    for (std::uint32_t r = 0; r < rows(); ++r)
      for (std::size_t i = 0; i < std::size_t{kind.heads} * padded(); ++i)
        rows_of_q[r * args.q_stride + i] = gpu::to_bfloat(q[r * kind.heads * padded() + i]);
    args.q = device_.put(rows_of_q);
    args.y_stride = std::size_t{kind.heads} * kind.dim + 3;
    args.y = device_.room<gpu::bfloat>(outputs());
    args.kv.data = device_.put(cache_);
    args.tables.positions = device_.put(positions);
    args.tables.first_block = device_.put(first_block);
    args.tables.words = device_.put(words);
  }

  void clear() { must(device_.stream.fill(args.y, std::byte{0xff}, outputs() * sizeof(gpu::bfloat))); }

  test_device& device_;
  std::vector<std::uint32_t> tables_;
  std::vector<gpu::bfloat> cache_;
  std::uint32_t blocks_ = 0;
  float* partials_ = nullptr;
  std::uint64_t partial_floats_ = 0;
};

/// Weights are rounded to bfloat16, and so is the result.
inline double attention_tolerance(double size) {
  return 8e-3 * size + 3e-3;
}

}  // namespace lorica::testing
