// Tokens that are drawn, through whole models on both executors: the same seed gives the same tokens wherever
// the draw is clear.
#include <algorithm>
#include <random>

#include "tests/catch.hpp"
#include "tests/twins/seeded_model.hpp"
#include "tests/twins/whole_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Every step of the sampler, alone and with others.
std::vector<sampling_params> ways_to_sample() {
  token_rules marked;
  marked.mark = watermark{.gamma = 0.4, .delta = 3};
  marked.biases = {{7, 2.5f}, {300, -4}};
  std::vector<sampling_params> out{
      {.temperature = 0.6f},
      {.temperature = 0.7f, .top_k = 12},
      {.temperature = 0.5f, .top_p = 0.85f},
      {.temperature = 0.6f, .top_k = 40, .top_p = 0.9f, .repetition_penalty = 1.3f},
      {.temperature = 0.4f, .typical_p = 0.8f},
      {.temperature = 0.6f, .frequency_penalty = 0.7f, .presence_penalty = 0.5f, .min_p = 0.03f},
      {.temperature = 0.5f, .repetition_penalty = 1.5f, .rules = shared_rules(marked)},
  };
  for (auto& p : out)
    p.sample = true;
  return out;
}

std::vector<golden_case> sampled_cases(std::size_t count, std::size_t tokens) {
  auto adapters = seeded_adapter_names();
  adapters.emplace_back();
  auto cases = seeded_cases(adapters, count, tokens);
  const auto ways = ways_to_sample();
  for (std::size_t i = 0; i < count; ++i) {
    cases[i].sampling = ways[i % ways.size()];
    cases[i].sampling.seed = 0x9e3779b97f4a7c15u * (i + 1);
  }
  return cases;
}

/// What is asked of a draw: that no logits so little apart would have given another token.
class judge {
 public:
  judge(std::shared_ptr<const model_weights> model, std::vector<golden_case> cases, std::vector<answer> cpu,
        const drive& how)
      : model_(std::move(model)), cases_(std::move(cases)), cpu_(std::move(cpu)), how_(how) {}

  /// Whether the CPU draws token `t` of case `i` also from logits that differ from its own: each by up to
  /// `alone` at random, and all that come before it in an order, by id or by likelihood, by `together`
  /// against those that come behind it.
  bool clear(std::size_t i, std::size_t t) {
    const auto logits = logits_at(i, t);
    auto& c = cases_[i];
    std::vector<token_id> history = c.prompt;
    history.insert(history.end(), cpu_[i].tokens.begin(),
                   cpu_[i].tokens.begin() + static_cast<std::ptrdiff_t>(t));
    const sampling_context at{history, static_cast<std::uint32_t>(c.prompt.size()), c.sampling};
    const auto chosen = cpu_[i].tokens[t];
    REQUIRE(sampler_.choose(logits, at).token == chosen);
    return std::ranges::all_of(disturbed(logits, chosen),
                               [&](auto& other) { return sampler_.choose(other, at).token == chosen; });
  }

 private:
  static constexpr float alone = 0.2f, together = 0.05f;

  /// The CPU's, which are the same however its rows are batched.
  std::vector<float> logits_at(std::size_t i, std::size_t t) const {
    auto c = cases_[i];
    c.prompt.insert(c.prompt.end(), cpu_[i].tokens.begin(),
                    cpu_[i].tokens.begin() + static_cast<std::ptrdiff_t>(t));
    c.tokens.resize(1);
    std::vector<float> out;
    run_all(model_, seeded_adapters(model_), {c}, how_,
            [&](const auto& weights, const drive& how, std::uint32_t blocks) {
              auto o = cpu_options_for(weights->config(), how, blocks);
              o.observer = [&](std::uint32_t, std::span<const float> row) {
                out.assign(row.begin(), row.end());
              };
              auto made = make_cpu_executor(weights, o);
              REQUIRE(made);
              return *std::move(made);
            });
    return out;
  }

  static std::vector<std::vector<float>> disturbed(const std::vector<float>& logits, token_id chosen) {
    std::vector<std::vector<float>> out;
    const auto drawn = static_cast<std::size_t>(chosen);
    for (bool by_id : {true, false})
      for (float apart : {together, -together}) {
        auto& other = out.emplace_back(logits);
        for (std::size_t id = 0; id < logits.size(); ++id)
          if (id != drawn) other[id] += (by_id ? id < drawn : logits[id] > logits[drawn]) ? apart : -apart;
      }
    std::mt19937 random(chosen);
    for (int n = 0; n < 64; ++n)
      for (auto& x : out.emplace_back(logits))
        x += alone * (static_cast<float>(random() >> 8) * 0x1p-23f - 1);
    return out;
  }

  std::shared_ptr<const model_weights> model_;
  std::vector<golden_case> cases_;
  std::vector<answer> cpu_;
  drive how_;
  sampler sampler_;
};

}  // namespace

TEST_CASE("a seed draws the CPU's tokens on the device, through whole models") {
  if (!device_is_here()) return;
  const auto name = GENERATE(as<std::string>{}, "llama", "biased");
  const auto model = seeded_model(name);
  const auto adapters = seeded_adapters(model);
  const auto cases = sampled_cases(42, 5);
  drive how{.chunk = 24, .max_sequences = 6};
  const auto gpu = run_all(model, adapters, cases, how, on_device()).answers;
  for (auto mode : {cpu_dtype::float32, cpu_dtype::bfloat16}) {
    how.mode = mode;
    INFO(name << ", the CPU in " << (mode == cpu_dtype::float32 ? "float32" : "bfloat16"));
    const auto cpu = run_all(model, adapters, cases, how).answers;
    judge draws(model, cases, cpu, how);
    check_agreement(cpu, gpu, 0.65, [&](std::size_t i, std::size_t t) { return draws.clear(i, t); });
    std::size_t clear = 0;
    for (std::size_t i = 0; i < cases.size(); ++i)
      clear += draws.clear(i, 0) ? 1 : 0;
    CHECK(clear * 5 > cases.size() * 2);
  }
}
