#include "gpu/sampling.hpp"

#include <sstream>

#include "engine/log_sum_exp.hpp"
#include "tests/gpu/sampling_kernels.hpp"
#include "tests/gpu/test_sampler.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Parameters of a row, extreme ones among them.
sampling_params random_params(std::mt19937& random) {
  auto one_of = [&](std::initializer_list<float> values) { return values.begin()[random() % values.size()]; };
  sampling_params p;
  p.sample = random() % 8 != 0;
  p.seed = random() | std::uint64_t{random()} << 32;
  p.temperature = one_of({1, 1, 0.7f, 1.3f, 0.01f, 1e-30f, 100, 1e30f});
  p.top_k = static_cast<std::uint32_t>(one_of({0, 0, 1, 2, 20, 50, 600, 4e9f}));
  p.top_p = one_of({1, 1, 0.9f, 0.5f, 0.99f, 1e-9f, 0, 0.9999999f});
  p.min_p = one_of({0, 0, 0, 0.05f, 0.5f, 1, 1e-12f});
  p.typical_p = one_of({1, 1, 1, 0.9f, 0.2f, 1e-6f, 0.9999f});
  return p;
}

test_reading random_reading(std::uint32_t vocab, std::uint32_t i, std::mt19937& random) {
  test_reading r;
  r.logits = logits_of_shape(vocab, i % logit_shapes, i);
  r.rows.sampling = random_params(random);
  auto below = [&](unsigned n) { return static_cast<std::uint32_t>(random() % n); };
  r.rows.choice = below(3);
  if (below(4) == 0) r.rows.top = below(most_top_logprobs + 1);
  r.history.resize(below(40), 0);
  return r;
}

std::string described(const test_reading& r, const token_choice& device, const token_choice& host) {
  auto& p = r.rows.sampling;
  std::ostringstream out;
  out << "T " << p.temperature << " k " << p.top_k << " p " << p.top_p << " min " << p.min_p << " typical "
      << p.typical_p << " sample " << p.sample << " top " << r.rows.top << ": " << device.token << " ("
      << device.logprob << ", rank " << device.rank << ") instead of " << host.token << " (" << host.logprob
      << ", rank " << host.rank << ")";
  return out.str();
}

void compare(test_sampler& both, const std::vector<test_reading>& readings) {
  const auto chosen = both.on_device(readings);
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto expected = both.on_host(readings[i]);
    INFO("reading " << i << ": " << described(readings[i], chosen[i], expected));
    REQUIRE(alike(chosen[i], expected));
  }
}

sampling_params sampled(std::uint64_t seed) {
  sampling_params p;
  p.sample = true;
  p.seed = seed;
  return p;
}

}  // namespace

TEST_CASE("the device's exponentials have the bits of the CPU's") {
  auto d = open_test_device();
  if (!d) return;
  std::vector<float> x{0.0f, -0.0f, -1e-30f, -86.0f, -86.00001f, -87.0f, -3e38f, -infinity};
  for (int i = 0; i < 90'000; ++i)
    x.push_back(-static_cast<float>(i) * 9.77e-4f);
  const auto expected = exp_weights(x, 0, 1);
  auto* y = d->room<float>(x.size());
  must(exponentials(d->put(x), static_cast<std::uint32_t>(x.size()), y, d->stream));
  const auto found = d->get(y, x.size());
  CHECK(std::memcmp(found.data(), expected.data(), x.size() * sizeof(float)) == 0);
}

TEST_CASE("the device chooses what the CPU chooses, whatever the parameters") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto vocab = GENERATE(1u, 2u, 33u, 1000u, 1024u, 1025u, 5003u);
  auto token_ids = GENERATE(0u, 1u, 2u);  // all, all but one, half
  if (token_ids == 1) token_ids = std::max(1u, vocab - 1);
  if (token_ids == 2) token_ids = std::max(1u, vocab / 2);
  INFO("vocabulary " << vocab << ", ids " << token_ids);
  constexpr std::uint32_t rows = 35;
  test_sampler both(*d, {rows, 16, vocab, token_ids});
  std::mt19937 random(vocab + token_ids);
  for (std::uint32_t step = 0; step < (vocab > 2000 ? 1u : 2u); ++step) {
    std::vector<test_reading> readings;
    for (std::uint32_t i = 0; i < rows; ++i)
      readings.push_back(random_reading(vocab, step * rows + i, random));
    compare(both, readings);
  }
}

TEST_CASE("a seed draws the same tokens on the device, thousands of times") {
  auto d = open_test_device();
  if (!d) return;
  auto way = GENERATE(range(0, 5));
  constexpr std::uint32_t vocab = 700, rows = 50;
  test_sampler both(*d, {rows, rows, vocab, 0});
  std::vector<int> drawn(vocab);
  for (std::uint64_t seed = 0; seed < 1000; seed += rows) {
    std::vector<test_reading> readings;
    for (std::uint64_t i = 0; i < rows; ++i) {
      test_reading r;
      r.logits = logits_of_shape(vocab, 0, 1);
      auto& p = r.rows.sampling = sampled(seed + i);
      if (way == 1) p.top_p = 0.9f;
      if (way == 2) p.top_k = 40;
      if (way == 3) p.typical_p = 0.8f;
      if (way == 4) p.min_p = 0.02f;
      readings.push_back(r);
    }
    const auto chosen = both.on_device(readings);
    for (std::uint32_t i = 0; i < rows; ++i) {
      REQUIRE(alike(chosen[i], both.on_host(readings[i])));
      ++drawn[static_cast<std::size_t>(chosen[i].token)];
    }
  }
  CHECK(std::ranges::count_if(drawn, [](int n) { return n != 0; }) > 10);
}

TEST_CASE("a row's result has the same bits alone and among any others") {
  auto d = open_test_device();
  if (!d) return;
  constexpr std::uint32_t vocab = 1500, rows = 12;
  test_sampler many(*d, {rows, rows, vocab, 0});
  test_sampler alone(*d, {1, 1, vocab, 0});
  std::mt19937 random(7);
  std::vector<test_reading> readings;
  for (std::uint32_t i = 0; i < rows; ++i)
    readings.push_back(random_reading(vocab, i, random));
  const auto chosen = many.on_device(readings);
  for (std::uint32_t i = 0; i < rows; ++i)
    CHECK(alone.on_device({readings[i]})[0] == chosen[i]);
  std::ranges::reverse(readings);
  auto again = many.on_device(readings);
  std::ranges::reverse(again);
  CHECK(again == chosen);
}

TEST_CASE("the device tells how likely prompt tokens are") {
  auto d = open_test_device();
  if (!d) return;
  auto token_ids = GENERATE(0u, 900u);
  constexpr std::uint32_t vocab = 1100, rows = 21;
  test_sampler both(*d, {rows, rows, vocab, token_ids});
  std::vector<test_reading> readings;
  for (std::uint32_t i = 0; i < rows; ++i) {
    test_reading r;
    r.logits = logits_of_shape(vocab, i % logit_shapes, i);
    r.scored = static_cast<token_id>((i * 379) % vocab);
    r.rows.scored_top = i;
    r.rows.sampling.repetition_penalty = 3;  // not for prompt tokens
    readings.push_back(r);
  }
  readings[0].scored = vocab - 1;
  readings[4].logits.assign(vocab, -infinity);
  readings[4].logits[3] = readings[4].logits[70] = 1;  // fewer alternatives than were asked for
  readings[5].logits[9] = std::numeric_limits<float>::quiet_NaN();
  compare(both, readings);
  CHECK(both.on_device(readings)[4].top.size() == 2);
}

TEST_CASE("broken logits are told by the device, and a row without a choice has none") {
  auto d = open_test_device();
  if (!d) return;
  auto vocab = GENERATE(3u, 1030u);
  auto sample = GENERATE(false, true);
  auto nan = std::numeric_limits<float>::quiet_NaN();
  test_sampler both(*d, {16, 16, vocab, 2});
  std::vector<test_reading> readings;
  auto add = [&](float others, float first, float last) {
    test_reading r;
    r.logits.assign(vocab, others);
    r.logits.front() = first;
    r.logits.back() = last;
    r.rows.sampling.sample = sample;
    r.rows.sampling.top_p = 0.5f;
    r.rows.top = 2;
    readings.push_back(r);
  };
  add(1, nan, 3);
  add(1, 2, nan);
  add(nan, nan, nan);
  add(1, infinity, 3);
  add(1, 1, infinity);
  add(-infinity, -infinity, -infinity);
  add(-infinity, nan, -infinity);
  add(-infinity, -infinity, 1);  // only an id that is never chosen
  add(-infinity, 2, -infinity);
  add(-3e38f, 3e38f, 3e38f);
  compare(both, readings);
  const auto chosen = both.on_device(readings);
  CHECK(chosen[7].token == no_token);
  for (std::size_t i = 0; i < 8; ++i)
    CHECK(std::isnan(chosen[i].logprob));
  CHECK(chosen[8].token == 0);
}

TEST_CASE("a bin that holds more than can be compared is narrowed") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  constexpr std::uint32_t vocab = 9001, rows = 8;
  test_sampler both(*d, {rows, rows, vocab, 0});
  for (unsigned shape : {2u, 6u, 0u}) {
    std::vector<test_reading> readings;
    for (std::uint32_t i = 0; i < rows; ++i) {
      test_reading r;
      r.logits = logits_of_shape(vocab, shape, i);
      for (std::uint32_t id = 0; shape == 0 && id < vocab; ++id)
        r.logits[id] = 1e-5f * static_cast<float>(id * 7919 % vocab);
      auto& p = r.rows.sampling = sampled(i);
      if (i % 4 == 0) p.top_p = 0.4f;
      if (i % 4 == 1) p.top_k = 3000;
      if (i % 4 == 2) p.typical_p = 0.3f;
      if (i % 4 == 3) p.top_p = 0.9f, p.top_k = 5000, p.typical_p = 0.6f;
      r.rows.top = 20;
      readings.push_back(r);
    }
    compare(both, readings);
  }
}
