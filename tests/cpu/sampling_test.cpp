#include "cpu/sampling.hpp"

#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"
#include "tests/cpu/planned_step.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("each sample is chosen from its own logits, history, parameters and choice") {
  executor_limits limits;
  limits.blocks = 8;
  limits.max_sequences = 6;
  limits.max_rows = 16;
  limits.max_positions = 32;
  model_config model;
  model.hidden = model.ffn = 32;
  model.heads = model.kv_heads = 2;
  model.head_dim = 16;
  model.vocab = 100;
  planned_step s(limits, model);
  // Slots in another order than sequences, and one sequence that is not sampled.
  const std::vector<std::uint32_t> slots = {4, 1, 5, 0, 3};
  for (std::uint32_t i = 0; i < slots.size(); ++i) {
    auto& q = s.add(slots[i], 0, {token_id(i), token_id(10 + i), token_id(10 + i)}, {i});
    q.sample = i != 1;
    q.prompt_tokens = i == 3 ? 3 : 1;
    q.choice = i;
    // One is drawn; the others are greedy, so that what the penalties read decides.
    q.sampling = {.sample = i == 0, .temperature = 3.0f, .seed = 5};
    if (i == 3)
      q.sampling.frequency_penalty = 0.7f;
    else
      q.sampling.repetition_penalty = 1.3f;
  }
  REQUIRE(s.prepare());
  auto w = workspace::allocate(model, limits, cpu_dtype::float32, 2, 1 << 20);
  REQUIRE(w);
  const auto numbers = some_numbers(std::size_t{limits.max_sequences} * model.vocab, 71);
  const std::vector<std::uint32_t> sampled = {0, 2, 3, 4};
  step_output all{std::vector<sampled_token>(sampled.size(), {99, -7, 0})};
  auto& out = all.tokens;
  step_sampler many(2, model.vocab, 0);
  // One at first, then the others as a team would: two batches, the second in two shares.
  auto logits_of = [&](std::size_t sample) {
    std::vector<float> logits(numbers.begin() + static_cast<std::ptrdiff_t>(sample * model.vocab),
                              numbers.begin() + static_cast<std::ptrdiff_t>((sample + 1) * model.vocab));
    // The likeliest token is in the history of this sequence, the next one in none.
    logits[10 + sampled[sample]] = 1.2f;
    logits[50] = 1.1f;
    return logits;
  };
  auto fill = [&](std::size_t row, std::size_t sample) {
    auto logits = logits_of(sample);
    auto* at = w->logits.row(row);
    std::memcpy(at, logits.data(), logits.size() * sizeof(float));
    REQUIRE(model.vocab <= summary_logits);
    kernels_for(isa::portable, cpu_dtype::float32)
        .summary(
            {reinterpret_cast<float*>(at), model.vocab, reinterpret_cast<logit_piece*>(w->pieces.row(row))});
  };
  fill(0, 0);
  many.read(s.plan, s.history, *w, 0, {0, 1}, 0, all);
  CHECK(out[1].token == -7);
  for (std::size_t i = 0; i < 3; ++i)
    fill(i, i + 1);
  many.read(s.plan, s.history, *w, 1, {0, 2}, 0, all);
  CHECK(out[3].token == -7);
  many.read(s.plan, s.history, *w, 1, {2, 3}, 1, all);
  for (std::size_t i = 0; i < sampled.size(); ++i) {
    INFO("sample " << i);
    auto& q = s.step.sequences[sampled[i]];
    const std::vector<token_id> history(s.step.tokens.begin() + q.first_row,
                                        s.step.tokens.begin() + q.first_row + q.rows);
    auto logits = logits_of(i);
    auto want = sampler().choose(logits, {history, q.prompt_tokens, q.sampling, q.choice});
    CHECK(out[i].sequence == sampled[i]);
    CHECK(out[i].token == want.token);
    CHECK(std::abs(out[i].logprob - want.logprob) < 2e-6f);
  }
}
