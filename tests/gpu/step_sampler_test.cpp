#include "gpu/step_sampler.hpp"

#include "engine/token_filter.hpp"
#include "engine/watermark.hpp"
#include "gpu/adjustment.hpp"
#include "gpu/graph.hpp"
#include "gpu/sampling.hpp"
#include "tests/gpu/test_sampler.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

std::vector<token_id> random_history(std::uint32_t vocab, std::size_t count, std::mt19937& random) {
  std::vector<token_id> out(count);
  for (auto& t : out)
    t = static_cast<token_id>(random() % vocab);
  return out;
}

/// Rules of every kind, some of them about ids that do not exist.
token_rules random_rules(std::uint32_t vocab, const std::vector<token_id>& history, std::mt19937& random) {
  auto id = [&] { return static_cast<token_id>(random() % vocab); };
  token_rules rules;
  for (int i = 0; i < 5; ++i)
    rules.biases.push_back({static_cast<token_id>(i * 7), static_cast<float>(random() % 200) - 100});
  rules.biases.push_back({static_cast<token_id>(vocab + 1), 5});
  if (random() % 2 == 0) {
    rules.allowed.emplace();
    for (std::uint64_t t = random() % 3; t < vocab + 3; t += 1 + random() % 4)
      rules.allowed->push_back(static_cast<token_id>(t));
  }
  rules.bad_words = {{id()}, {id(), id()}, {}};
  if (history.size() > 2) rules.bad_words.push_back({history[history.size() - 2], history.back(), id()});
  rules.late = {3, static_cast<token_id>(vocab - 1), static_cast<token_id>(vocab + 9)};
  if (random() % 2 == 0) rules.mark = watermark{0.3, 1.5f};
  return rules;
}

test_reading random_reading(std::uint32_t vocab, std::uint32_t i, std::mt19937& random) {
  test_reading r;
  r.logits = logits_of_shape(vocab, i % logit_shapes, i);
  r.history = random_history(vocab, random() % 60, random);
  r.rows.prompt_tokens = static_cast<std::uint32_t>(random() % 70);
  auto& p = r.rows.sampling;
  p.sample = random() % 2 == 0;
  p.seed = random();
  p.top_p = random() % 2 == 0 ? 1.0f : 0.8f;
  p.repetition_penalty = std::array{1.0f, 1.3f, 0.5f, 1e-45f, 1e38f}[random() % 5];
  p.frequency_penalty = std::array{0.0f, 0.37f, -2.0f}[random() % 3];
  p.presence_penalty = std::array{0.0f, 1.1f}[random() % 2];
  p.min_tokens = static_cast<std::uint32_t>(random() % 80);
  if (random() % 3 != 0) p.rules = shared_rules(random_rules(vocab, r.history, random));
  r.rows.top = static_cast<std::uint32_t>(random() % 2);
  return r;
}

void compare(test_sampler& both, const std::vector<test_reading>& readings,
             const std::vector<token_choice>& chosen) {
  REQUIRE(chosen.size() == readings.size());
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto expected = both.on_host(readings[i]);
    INFO("reading " << i << ": " << chosen[i].token << " (" << chosen[i].logprob << ") instead of "
                    << expected.token << " (" << expected.logprob << ")");
    REQUIRE(alike(chosen[i], expected));
  }
}

test_reading greedy_reading(std::uint32_t vocab, std::uint32_t peak) {
  test_reading r;
  r.logits.assign(vocab, 0.0f);
  r.logits[peak] = 1;
  return r;
}

}  // namespace

TEST_CASE("rules and penalties change what the device chooses as they do on the CPU") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto vocab = GENERATE(40u, 1025u, 4200u);
  constexpr std::uint32_t rows = 28;
  test_sampler both(*d, {rows, 10, vocab, GENERATE_COPY(0u, vocab - 3)});
  std::mt19937 random(vocab);
  std::vector<test_reading> readings;
  for (std::uint32_t i = 0; i < rows; ++i)
    readings.push_back(random_reading(vocab, i, random));
  compare(both, readings, both.on_device(readings));
  CHECK(both.sampler().needs_host().empty());
}

TEST_CASE("adjusted logits have the bits of the CPU's, and others are left alone") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  constexpr std::uint32_t vocab = 4105;
  std::mt19937 random(3);
  auto x = logits_of_shape(vocab, 3, 1);
  const auto history = random_history(300, 90, random);
  gpu::sampling_row r;
  r.kind = gpu::reading_kind::choose;
  r.slot = 1;
  r.history = 90;
  r.prompt_tokens = 31;
  r.adjusted = 1;
  r.repetition_penalty = 1.7f;
  r.frequency_penalty = 0.3f;
  r.presence_penalty = 0.1f;
  r.first_bias = 1;
  r.biases = 2;
  r.first_banned = 5;
  r.banned = 2;
  std::vector<std::uint32_t> words{
      99, 4, std::bit_cast<std::uint32_t>(2.5f), 4100, std::bit_cast<std::uint32_t>(-1.25f), 5, 4104};
  std::vector<token_id> slots(200, -1);
  std::ranges::copy(history, slots.begin() + 100);
  auto both_rows = x;
  both_rows.insert(both_rows.end(), x.begin(), x.end());
  gpu::adjustment_args a;
  a.x = d->put(both_rows);
  a.x_stride = a.y_stride = vocab;
  a.rows = 2;
  a.vocab = vocab;
  a.readings = d->put(std::vector<gpu::sampling_row>{r, {}});
  a.history = d->put(slots);
  a.history_stride = 100;
  a.words = d->put(words);
  a.y = d->room<float>(2 * vocab);
  a.pieces = d->room<gpu::logit_piece>(2 * gpu::summary_pieces(vocab));
  must(gpu::adjust(a, d->stream));
  const auto y = d->get(a.y, 2 * vocab);
  x[4] += 2.5f;
  x[4100] += -1.25f;
  x[5] = x[4104] = -infinity;
  for (std::uint32_t id = 0; id < vocab; ++id) {
    const auto all = std::ranges::count(history, static_cast<token_id>(id));
    const auto generated = std::count(history.begin() + 31, history.end(), static_cast<token_id>(id));
    if (all != 0 && x[id] != -infinity) x[id] = x[id] > 0 ? x[id] / 1.7f : x[id] * 1.7f;
    if (generated != 0) x[id] = (x[id] - 0.3f * static_cast<float>(generated)) - 0.1f;
  }
  CHECK(std::memcmp(x.data(), y.data(), vocab * sizeof(float)) == 0);
  CHECK(std::ranges::all_of(y.begin() + vocab, y.end(), [](float v) { return std::isnan(v); }));
  const auto pieces = d->get(a.pieces, 5);
  CHECK(pieces[4].chosen_peak == *std::max_element(x.begin() + 4096, x.end()));
}

TEST_CASE("readings whose rules find no room on the device are chosen by the host") {
  auto d = open_test_device();
  if (!d) return;
  constexpr std::uint32_t vocab = 1000, rows = 16;
  gpu::sampler_limits limits{rows, rows, vocab, 0};
  limits.words = 2 * gpu::mask_words(vocab) + 40;
  test_sampler both(*d, limits);
  std::mt19937 random(11);
  std::vector<test_reading> readings;
  for (std::uint32_t i = 0; i < rows; ++i)
    readings.push_back(random_reading(vocab, i, random));
  compare(both, readings, both.on_device(readings));
  CHECK(both.sampler().needs_host().size() > 1);
  CHECK(both.sampler().needs_host().size() < rows);
  // The next step has its room again.
  readings.resize(1);
  both.on_device(readings);
  CHECK(both.sampler().needs_host().empty());
}

TEST_CASE("a recorded step chooses by the tables of the step at hand, and idle readings are passed over") {
  auto d = open_test_device();
  if (!d) return;
  constexpr std::uint32_t vocab = 1100, rows = 4;
  test_sampler both(*d, {rows, rows, vocab, 0});
  std::vector<test_reading> readings;
  for (std::uint32_t i = 0; i < rows; ++i)
    readings.push_back(greedy_reading(vocab, 10 + i));
  both.put(readings);
  must(d->stream.synchronise());
  auto recorded = must(gpu::graph::capture(d->stream, [&]() -> result<void> {
    both.launch(rows);
    return {};
  }));
  must(recorded.launch(d->stream));
  compare(both, readings, both.read(readings));
  std::mt19937 random(5);
  readings.clear();
  for (std::uint32_t i = 0; i < 2; ++i)
    readings.push_back(random_reading(vocab, i, random));
  both.put(readings);
  must(recorded.launch(d->stream));
  compare(both, readings, both.read(readings));
}

TEST_CASE("a sampler refuses a vocabulary that it cannot sum, and takes what it said") {
  auto d = open_test_device();
  if (!d) return;
  const gpu::sampler_limits limits{7, 3, 1025, 0};
  gpu::step_layout layout;
  const gpu::step_sampler::sections at(layout, limits);
  auto buffer = must(gpu::step_buffer::allocate(d->memory, layout));
  const auto made = [&](const gpu::sampler_limits& l) {
    return bool(gpu::step_sampler::create(l, at, buffer, d->memory));
  };
  CHECK(!made({1, 1, gpu::most_vocab + 1, 0}));
  CHECK(!made({1, 1, 100, 101}));
  CHECK(!made({0, 1, 100, 0}));
  const auto before = d->memory.used();
  CHECK(made(limits));
  CHECK(d->memory.used() - before == gpu::step_sampler::device_bytes(limits));
}
