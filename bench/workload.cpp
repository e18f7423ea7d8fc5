#include "bench/workload.hpp"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <random>
#include <stdexcept>

#include "bench/machine_load.hpp"
#include "cpu/mapped_memory.hpp"
#include "cpu/thread_team.hpp"

namespace lorica::bench {
namespace {

using clock = std::chrono::steady_clock;

double seconds_since(clock::time_point start) {
  return std::chrono::duration<double>(clock::now() - start).count();
}

double median(std::vector<double> of) {
  std::ranges::sort(of);
  return of[of.size() / 2];
}

/// Blocks that one stream needs.
std::uint32_t blocks_of(const executor_limits& l, const workload& w) {
  return (w.prompt + w.decode + l.block_tokens - 1) / l.block_tokens;
}

sequence_rows rows_of(const executor_limits& l, const workload& w, std::uint32_t stream,
                      std::uint32_t context, std::uint32_t rows) {
  sequence_rows s;
  s.slot = w.first_slot + stream;
  s.rows = rows;
  s.context = context;
  s.blocks = blocks_of(l, w);
  s.prompt_tokens = w.prompt;
  return s;
}

/// Streams of one adapter are neighbours, and one segment, as the planner has them.
std::uint32_t adapter_of(const workload& w, std::uint32_t stream) {
  return static_cast<std::uint32_t>(std::uint64_t{stream} * w.adapters / w.streams);
}

void add_to_segments(batch& step, const sequence_rows& s, const packed_adapter* adapter) {
  if (!step.uses.empty() && step.uses.back().adapter == adapter) {
    step.segments.back().rows += s.rows;
    return;
  }
  step.segments.push_back({s.first_row, s.rows, static_cast<std::uint32_t>(step.uses.size()), 1});
  step.uses.push_back({adapter, 1.0f});
}

/// A step over the streams [first, last) from position `context` on; `tokens_of(stream)` are its rows.
template <class Tokens>
batch make_step(const executor_limits& l, const workload& w, std::uint32_t first, std::uint32_t last,
                std::uint32_t context, const Tokens& tokens_of,
                const std::vector<std::shared_ptr<const packed_adapter>>& adapters) {
  batch out;
  for (auto stream = first; stream < last; ++stream) {
    const std::vector<token_id> tokens = tokens_of(stream);
    auto s = rows_of(l, w, stream, context, static_cast<std::uint32_t>(tokens.size()));
    s.first_row = static_cast<std::uint32_t>(out.tokens.size());
    s.first_block = static_cast<std::uint32_t>(out.block_table.size());
    s.sample = true;
    for (std::uint32_t b = 0; b < s.blocks; ++b)
      out.block_table.push_back((w.first_slot + stream) * s.blocks + b);
    out.tokens.insert(out.tokens.end(), tokens.begin(), tokens.end());
    if (w.adapters != 0) add_to_segments(out, s, adapters[adapter_of(w, stream)].get());
    out.sequences.push_back(s);
  }
  return out;
}

void execute(executor& engine, const batch& step) {
  auto done = engine.execute(step);
  if (!done) throw std::runtime_error(done.error().text);
}

std::vector<token_id> random_prompt(const model_config& m, std::uint32_t tokens, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<token_id> out(tokens);
  for (auto& t : out)
    t = static_cast<token_id>(random() % m.vocab);
  return out;
}

lora_site random_site(std::mt19937& random, std::uint32_t layer, projection where, std::uint32_t rank,
                      std::uint32_t in, std::uint32_t out) {
  std::normal_distribution<float> a(0.0f, 0.03f), b(0.0f, 0.01f);
  lora_site s{layer, where, rank, in, out, 2.0f, {}, {}};
  s.a.resize(std::size_t{rank} * in);
  s.b.resize(std::size_t{out} * rank);
  std::ranges::generate(s.a, [&] { return a(random); });
  std::ranges::generate(s.b, [&] { return b(random); });
  return s;
}

}  // namespace

adapter_weights random_adapter(const model_config& m, std::uint32_t rank, std::uint32_t seed) {
  std::mt19937 random(seed);
  adapter_weights out;
  out.version.digest[0] = static_cast<std::uint8_t>(seed);
  out.version.digest[1] = static_cast<std::uint8_t>(rank);
  const auto q = m.heads * m.head_dim;
  const auto kv = m.kv_heads * m.head_dim;
  for (std::uint32_t l = 0; l < m.layers; ++l) {
    out.sites.push_back(random_site(random, l, projection::q, rank, m.hidden, q));
    out.sites.push_back(random_site(random, l, projection::k, rank, m.hidden, kv));
    out.sites.push_back(random_site(random, l, projection::v, rank, m.hidden, kv));
    out.sites.push_back(random_site(random, l, projection::o, rank, q, m.hidden));
    out.sites.push_back(random_site(random, l, projection::gate, rank, m.hidden, m.ffn));
    out.sites.push_back(random_site(random, l, projection::up, rank, m.hidden, m.ffn));
    out.sites.push_back(random_site(random, l, projection::down, rank, m.ffn, m.hidden));
  }
  return out;
}

run_time run(executor& engine, const model_config& m, const workload& w,
             const std::vector<std::shared_ptr<const packed_adapter>>& adapters, step_profile* profile) {
  auto& limits = engine.limits();
  auto prompt_of = [&](std::uint32_t stream) { return random_prompt(m, w.prompt, stream); };
  machine_load load;
  if (profile) profile->clear();
  std::vector<double> steps;
  auto timed = [&](const batch& step) {
    auto begin = clock::now();
    execute(engine, step);
    steps.push_back(seconds_since(begin));
  };
  auto start = clock::now();
  const auto at_once = w.one_step ? w.streams : 1;
  for (std::uint32_t stream = 0; stream < w.streams; stream += at_once)
    timed(make_step(limits, w, stream, stream + at_once, 0, prompt_of, adapters));
  run_time out;
  out.tokens = static_cast<double>(w.streams) * w.prompt;
  if (w.decode != 0) {
    load = {};
    if (profile) profile->clear();
    steps.clear();
    auto sampled = [](std::uint32_t) { return std::vector<token_id>{sampled_last}; };
    start = clock::now();
    for (std::uint32_t i = 0; i < w.decode; ++i)
      timed(make_step(limits, w, 0, w.streams, w.prompt + i, sampled, adapters));
    out.tokens = static_cast<double>(w.streams) * w.decode;
  }
  out.seconds = seconds_since(start);
  out.cpu_seconds = load.own();
  out.foreign = load.foreign();
  std::ranges::sort(steps);
  out.best_step_seconds = steps.front();
  out.median_step_seconds = steps[steps.size() / 2];
  out.longest_step_seconds = steps.back();
  return out;
}

turns_time run_in_turns(executor& engine, const model_config& m, const workload& w,
                        const std::vector<std::shared_ptr<const packed_adapter>>& adapters) {
  auto base = w;
  base.adapters = 0;
  base.first_slot = w.streams;
  const workload* const both[] = {&base, &w};
  auto prompt_of = [&](std::uint32_t stream) { return random_prompt(m, w.prompt, stream); };
  auto sampled = [](std::uint32_t) { return std::vector<token_id>{sampled_last}; };
  auto step_of = [&](const workload& of, std::uint32_t context) {
    const auto step = make_step(engine.limits(), of, 0, of.streams, context, sampled, adapters);
    const auto begin = clock::now();
    execute(engine, step);
    return seconds_since(begin);
  };
  for (auto* of : both)
    for (std::uint32_t stream = 0; stream < w.streams; ++stream)
      execute(engine, make_step(engine.limits(), *of, stream, stream + 1, 0, prompt_of, adapters));
  std::vector<double> without, with, quotients;
  machine_load load;
  for (std::uint32_t i = 0; i < w.decode; ++i) {
    // Who is first changes too.
    double seconds[2];
    for (const auto which : {i % 2, 1 - i % 2})
      seconds[which] = step_of(*both[which], w.prompt + i);
    without.push_back(seconds[0]);
    with.push_back(seconds[1]);
    quotients.push_back(seconds[1] / seconds[0]);
  }
  return {median(without), median(with), median(quotients), load.foreign()};
}

double adapter_bytes(const workload& w, const std::vector<std::shared_ptr<const packed_adapter>>& adapters) {
  double out = 0;
  for (std::uint32_t a = 0; a < std::min(w.adapters, w.streams); ++a)
    out += static_cast<double>(adapters[a]->bytes());
  return out;
}

double bytes_per_step(const executor& engine, const workload& w,
                      const std::vector<std::shared_ptr<const packed_adapter>>& adapters) {
  auto& l = engine.limits();
  const double kv = static_cast<double>(l.kv_bytes) / l.blocks / l.block_tokens;
  return static_cast<double>(l.weight_bytes) + w.streams * kv * (w.prompt + w.decode / 2.0) +
         adapter_bytes(w, adapters);
}

double memory_bandwidth(unsigned threads) {
  auto memory = mapped_memory::allocate(std::uint64_t{256} << 20, "what is read");
  if (!memory) throw std::runtime_error(memory.error().text);
  const std::span words(reinterpret_cast<std::uint64_t*>(memory->data()),
                        memory->size() / sizeof(std::uint64_t));
  std::ranges::fill(words, 1);
  std::vector<std::uint64_t> sums(threads * std::size_t{8});  // a cache line each
  thread_team team(threads);
  double best = 1e9;
  for (int pass = 0; pass < 6; ++pass) {
    auto start = clock::now();
    team.run([&](unsigned member) {
      auto mine = share_of(static_cast<std::uint32_t>(words.size()), member, threads);
      // Lines are asked for ahead, as the kernels do: a processor alone does not reach what memory can give.
      constexpr std::uint32_t line = 8, ahead = 256;
      std::uint64_t sum[line] = {};
      for (auto i = mine.first; i + line <= mine.last; i += line) {
        __builtin_prefetch(words.data() + i + ahead);
        for (std::uint32_t k = 0; k < line; ++k)
          sum[k] += words[i + k];
      }
      sums[member * std::size_t{line}] = std::accumulate(std::begin(sum), std::end(sum), std::uint64_t{0});
    });
    best = std::min(best, seconds_since(start));
  }
  // The sums are used, so that the reads cannot be left out.
  if (std::accumulate(sums.begin(), sums.end(), std::uint64_t{0}) != words.size())
    throw std::logic_error("sums");
  return static_cast<double>(words.size() * sizeof(std::uint64_t)) / best;
}

}  // namespace lorica::bench
