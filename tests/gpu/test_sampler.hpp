#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "engine/sampler.hpp"
#include "gpu/step_sampler.hpp"
#include "tests/gpu/test_device.hpp"

namespace lorica::testing {

inline constexpr auto infinity = std::numeric_limits<float>::infinity();

/// A reading with what it is made of.
struct test_reading {
  std::vector<float> logits;
  sequence_rows rows;
  std::vector<token_id> history = {};
  token_id scored = no_token;
};

/// Chooses tokens on a device and, with the same arguments, by `engine/sampler`.
class test_sampler {
 public:
  test_sampler(test_device& device, gpu::sampler_limits limits, std::uint32_t positions = 64)
      : device_(device),
        limits_(limits),
        stride_(limits.vocab + 5),
        at_(layout_, limits),
        buffer_(must(gpu::step_buffer::allocate(device.memory, layout_))),
        sampler_(must(gpu::step_sampler::create(limits, at_, buffer_, device.memory))),
        history_(must(gpu::token_history::allocate(device.memory, limits.readings, positions))),
        logits_(device.room<float>(limits.readings * stride_)),
        host_(must(gpu::pinned_buffer::allocate(limits.readings * stride_ * sizeof(float)))),
        most_tokens_(std::size_t{limits.readings} * positions),
        history_device_(device.room<std::uint32_t>(3 * most_tokens_)),
        history_host_(must(gpu::pinned_buffer::allocate(3 * most_tokens_ * sizeof(std::uint32_t)))) {}

  /// Slots are given to the readings in turn.
  void put(std::vector<test_reading>& readings) {
    std::ranges::fill(host_.as<float>(), std::numeric_limits<float>::quiet_NaN());
    buffer_.keep(0);
    sampler_.begin();
    std::uint32_t slot = 0;
    for (auto& r : readings) {
      std::ranges::copy(r.logits, host_.as<float>().begin() + static_cast<std::ptrdiff_t>(slot * stride_));
      r.rows.slot = slot++;
      sampler_.add(r.rows, r.scored, r.history);
    }
    remember(readings);
    must(device_.stream.to_device(logits_, host_.data(), host_.size()));
    must(buffer_.upload(device_.stream));
  }

  void launch(std::uint32_t rows) {
    for (std::uint32_t first = 0; first < rows; first += limits_.logits_rows)
      must(sampler_.sample(logits_ + first * stride_, stride_, first,
                           std::min(limits_.logits_rows, rows - first), history_, device_.stream));
  }

  std::vector<token_choice> read(const std::vector<test_reading>& readings) {
    must(sampler_.download(device_.stream));
    must(device_.stream.synchronise());
    for (auto i : sampler_.needs_host())
      must(sampler_.choose_on_host(i, logits_ + i * stride_, readings[i].rows, readings[i].history,
                                   device_.stream));
    std::vector<token_choice> out;
    for (std::uint32_t i = 0; i < readings.size(); ++i)
      out.push_back(sampler_.told(i));
    return out;
  }

  std::vector<token_choice> on_device(std::vector<test_reading> readings) {
    put(readings);
    launch(static_cast<std::uint32_t>(readings.size()));
    return read(readings);
  }

  token_choice on_host(const test_reading& r) {
    if (r.scored != no_token) return score(r.logits, r.scored, r.rows.scored_top, limits_.token_ids);
    return judge_.choose(r.logits, {r.history, r.rows.prompt_tokens, r.rows.sampling, r.rows.choice,
                                    limits_.token_ids, r.rows.top});
  }

  gpu::step_sampler& sampler() { return sampler_; }

 private:
  /// The tokens of all readings go where their slots have them.
  void remember(const std::vector<test_reading>& readings) {
    std::uint32_t count = 0;
    auto tokens = history_host_.as<std::uint32_t>(), slots = tokens.subspan(most_tokens_),
         positions = slots.subspan(most_tokens_);
    for (auto& r : readings)
      for (std::uint32_t i = 0; i < r.history.size(); ++i, ++count) {
        tokens[count] = static_cast<std::uint32_t>(r.history[i]);
        slots[count] = r.rows.slot;
        positions[count] = i;
      }
    if (count == 0) return;
    must(device_.stream.to_device(history_device_, history_host_.data(), history_host_.size()));
    must(gpu::remember({reinterpret_cast<token_id*>(history_device_), history_device_ + most_tokens_,
                        history_device_ + 2 * most_tokens_, count, history_.device(), history_.stride()},
                       device_.stream));
  }

  test_device& device_;
  gpu::sampler_limits limits_;
  std::size_t stride_;
  gpu::step_layout layout_;
  gpu::step_sampler::sections at_;
  gpu::step_buffer buffer_;
  gpu::step_sampler sampler_;
  gpu::token_history history_;
  float* logits_;
  gpu::pinned_buffer host_;
  std::size_t most_tokens_;
  std::uint32_t* history_device_;  // tokens, slots and positions
  gpu::pinned_buffer history_host_;
  lorica::sampler judge_;
};

/// Equal but for the last bits of log-probabilities.
inline bool alike(const token_choice& a, const token_choice& b) {
  auto near = [](float x, float y) {
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) && std::isnan(y);
    return x == y || std::abs(x - y) <= 2e-6f * (1 + std::abs(x));
  };
  if (a.token != b.token || a.rank != b.rank || !near(a.logprob, b.logprob)) return false;
  return std::ranges::equal(
      a.top, b.top, [&](auto& x, auto& y) { return x.token == y.token && near(x.logprob, y.logprob); });
}

/// Logits of one of several shapes: bell, many ties, flat, some at -inf, peaked, far apart, one bin.
inline constexpr unsigned logit_shapes = 7;
inline std::vector<float> logits_of_shape(std::uint32_t vocab, unsigned shape, std::uint32_t seed) {
  std::mt19937 random(seed * 977 + shape);
  auto uniform = [&] { return static_cast<float>(random() >> 8) * 0x1p-24f; };
  std::vector<float> out(vocab);
  for (auto& x : out) {
    const auto bell = uniform() + uniform() + uniform() + uniform() - 2;
    switch (shape) {
      case 0: x = 6 * bell; break;
      case 1: x = std::round(5 * bell) / 2; break;
      case 2: x = 1.5f; break;
      case 3: x = uniform() < 0.3f ? -infinity : 4 * bell; break;
      case 4: x = uniform() < 0.01f ? 12 + bell : bell; break;
      case 5: x = 3e4f * bell; break;
      default: x = 1 + 0.01f * bell;
    }
  }
  if (shape == 3 && std::ranges::all_of(out, [](float x) { return x == -infinity; })) out[0] = 1;
  return out;
}

}  // namespace lorica::testing
