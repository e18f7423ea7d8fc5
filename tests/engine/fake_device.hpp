#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/planner.hpp"

namespace lorica::testing {

/// Fails the running test; cheaper than a CHECK in loops of millions.
inline void require(bool holds, const char* what) {
  if (!holds) throw std::runtime_error(what);
}

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  auto x = a ^ (b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2));
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

inline adapter_version version_of(std::uint8_t number) {
  adapter_version v;
  v.digest[0] = number;
  return v;
}

/// That of an adapter which can be merged with every other of this rank.
inline merge_shape plain_shape(std::uint32_t rank = 8) {
  return {{{0, projection::q, rank}}, 2.0f, false};
}

/// An adapter without weights.
class fake_adapter final : public packed_adapter {
 public:
  explicit fake_adapter(adapter_version v, bool alone = false, merge_shape shape = plain_shape())
      : version_(v), alone_(alone), shape_(std::move(shape)) {}

  const adapter_version& version() const noexcept override { return version_; }
  std::uint64_t bytes() const noexcept override { return 1; }
  std::vector<std::uint32_t> ranks() const override { return {8}; }
  const merge_shape& shape() const noexcept override { return shape_; }
  bool stands_alone() const noexcept override { return alone_; }

 private:
  adapter_version version_;
  bool alone_;
  merge_shape shape_;
};

/// What a composition means to the fake device: a function of how it is combined, of versions, weights and
/// their order.
inline std::uint64_t begin_key(combination combine) {
  return combine == combination::sum ? 0 : 0x6c696e65u;
}

inline std::uint64_t add_use(std::uint64_t key, const adapter_version& version, float weight) {
  return mix(mix(key, version.digest[0]), static_cast<std::uint64_t>(weight * 64));
}

inline std::uint64_t composition_key(const sequence& of) {
  std::uint64_t key = begin_key(of.combine);
  for (auto& s : of.composition)
    key = add_use(key, s.version, s.weight);
  return key;
}

/// The "K and V" of a token: a chain over everything before it.
inline std::uint64_t chain(std::uint64_t before, std::uint64_t composition, token_id token,
                           std::uint32_t position) {
  return mix(mix(mix(before, composition), static_cast<std::uint64_t>(token)), position);
}

/// The next token after a position whose chain is `state`: 0 ends the text now and then.
inline token_id next_token(std::uint64_t state, std::uint64_t seed) {
  return static_cast<token_id>(mix(state, seed) % 40);
}

/// How likely the token behind a position is, and its alternatives.
inline float told_logprob(std::uint64_t state) {
  return -static_cast<float>(1 + state % 1000);
}
inline token_logprob told_alternative(std::uint64_t state, std::uint32_t place) {
  return {static_cast<token_id>(mix(state, place) % 500), told_logprob(state + place)};
}

/// An executor without arithmetic: a block holds the chain of each of its tokens, and a token is read only
/// through the block table. Wrong blocks, positions, tokens or adapters give other tokens. Checks the
/// contract of `engine/batch.hpp` on the way.
class fake_device {
 public:
  explicit fake_device(const planner_options& o)
      : options_(o),
        blocks_(o.blocks, std::vector<std::uint64_t>(o.block_tokens)),
        sampled_(o.max_sequences, no_token) {}

  step_output execute(const batch& work) {
    check_shape(work);
    auto keys = row_keys(work);
    step_output out;
    for (std::uint32_t i = 0; i < work.sequences.size(); ++i) {
      auto& s = work.sequences[i];
      auto state = compute(work, s, keys[s.first_row]);
      score(work, i, out);
      sampled_[s.slot] = s.sample ? next_token(state, s.sampling.seed) : no_token;
      if (s.sample) out.tokens.push_back({i, sampled_[s.slot], -1.0f});
    }
    return out;
  }

 private:
  void score(const batch& work, std::uint32_t number, step_output& out) {
    auto& s = work.sequences[number];
    auto end = s.first_scored + s.scored;
    require(end <= s.rows && (s.scored == 0 || s.context + end < s.prompt_tokens), "scored rows are prompt");
    require(!s.sample || s.scored == 0 || end < s.rows, "no row is scored and sampled");
    for (auto row = s.first_scored; row < end; ++row) {
      auto state = at(work, s, s.context + row);
      auto token = row + 1 < s.rows ? work.tokens[s.first_row + row + 1] : s.behind;
      sampled_token told{number, token, told_logprob(state), static_cast<std::uint32_t>(state % 77)};
      for (std::uint32_t place = 0; place < s.scored_top; ++place)
        told.top.push_back(told_alternative(state, place));
      out.scored.push_back(std::move(told));
    }
  }

  std::uint64_t compute(const batch& work, const sequence_rows& s, std::uint64_t key) {
    auto state = s.context == 0 ? 0 : at(work, s, s.context - 1);
    for (std::uint32_t row = 0; row < s.rows; ++row) {
      auto token = work.tokens[s.first_row + row];
      if (row == 0 && token == sampled_last) token = sampled_[s.slot];
      require(token >= 0, "a row has a token");
      state = chain(state, key, token, s.context + row);
      at(work, s, s.context + row) = state;
    }
    return state;
  }

  std::uint64_t& at(const batch& work, const sequence_rows& s, std::uint32_t position) {
    auto block = work.block_table[s.first_block + position / options_.block_tokens];
    return blocks_[block][position % options_.block_tokens];
  }

  void check_shape(const batch& work) const {
    require(!work.sequences.empty(), "a step has sequences");
    require(work.tokens.size() <= options_.max_rows, "a step keeps the bound of rows");
    std::vector<bool> slots(options_.max_sequences);
    std::vector<std::uint32_t> holders(options_.blocks);
    for (auto id : work.block_table) {
      require(id < holders.size(), "blocks are of the pool");
      ++holders[id];
    }
    std::uint32_t row = 0;
    std::uint32_t prefill = 0;
    for (auto& s : work.sequences) {
      require(s.first_row == row && s.rows > 0, "sequences cover the rows in order, without holes");
      row += s.rows;
      prefill += s.rows > 1 ? s.rows : 0;
      require(s.slot < slots.size() && !slots[s.slot], "slots are unique");
      slots[s.slot] = true;
      require(s.blocks * options_.block_tokens >= s.context + s.rows, "the block table is large enough");
      require(s.first_block + s.blocks <= work.block_table.size(), "block tables lie inside");
      for (auto b = s.context / options_.block_tokens; b < s.blocks; ++b)
        require(holders[work.block_table[s.first_block + b]] == 1,
                "no block that is written is in two tables");
    }
    require(row == work.tokens.size(), "sequences cover all rows");
    require(options_.max_prefill_tokens == 0 || prefill <= options_.max_prefill_tokens,
            "a step keeps the bound of prefill rows");
  }

  /// The composition of each row, from the segments.
  std::vector<std::uint64_t> row_keys(const batch& work) const {
    std::vector<std::uint64_t> keys(work.tokens.size(), 0);
    std::vector<adapter_version> distinct;
    std::uint32_t row = 0;
    std::vector<std::uint64_t> seen;
    for (auto& s : work.segments) {
      require(s.first_row >= row && s.rows > 0, "segments are disjoint and ascending");
      row = s.first_row + s.rows;
      require(row <= work.tokens.size() && s.uses > 0, "segments lie inside");
      std::uint64_t key = begin_key(s.combine);
      for (auto u = s.first_use; u < s.first_use + s.uses; ++u) {
        key = add_use(key, work.uses.at(u).adapter->version(), work.uses[u].weight);
        distinct.push_back(work.uses[u].adapter->version());
      }
      require(std::find(seen.begin(), seen.end(), key) == seen.end(), "equal compositions are neighbours");
      seen.push_back(key);
      std::fill(keys.begin() + s.first_row, keys.begin() + row, key);
    }
    std::sort(distinct.begin(), distinct.end());
    auto count = std::unique(distinct.begin(), distinct.end()) - distinct.begin();
    require(options_.max_adapters_per_step == 0 || count <= options_.max_adapters_per_step,
            "a step keeps the bound of adapters");
    return keys;
  }

  planner_options options_;
  std::vector<std::vector<std::uint64_t>> blocks_;
  std::vector<token_id> sampled_;  // by slots, in their last step
};

}  // namespace lorica::testing
