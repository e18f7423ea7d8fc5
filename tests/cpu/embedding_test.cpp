#include "cpu/embedding.hpp"

#include <cmath>

#include "tests/catch.hpp"
#include "tests/cpu/planned_step.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("a row begins as its token's embedding, with the angles of its position") {
  auto model = open_model(LORICA_TEST_DATA "/golden/models/llama-tied-gqa");
  REQUIRE(model);
  auto& m = (*model)->config();
  executor_limits limits;
  limits.blocks = 8;
  limits.max_sequences = 2;
  limits.max_rows = 16;
  limits.max_positions = 64;
  planned_step s(limits, m);
  s.add(0, 0, {9, 8, 7, 6, 5}, {0});
  s.pass();
  s.add(1, 0, {11, 12}, {1});
  s.add(0, 5, {13, 319, 0}, {0});
  REQUIRE(s.prepare());
  auto w = workspace::allocate(m, limits, cpu_dtype::float32, 2, 1 << 20);
  REQUIRE(w);
  auto rule = embedding_rule_for(m, cpu_dtype::float32, limits.max_positions);
  CHECK(rule.scale == 1);
  CHECK(rule.rope_factor == 1);
  rule.scale = GENERATE(1.0f, 8.0f);
  rule.rope_factor = GENERATE(1.0f, 1.19f);
  auto& frequencies = rule.frequencies;
  // In two shares, as a team would.
  auto& kernels = kernels_for(isa::portable, cpu_dtype::float32);
  embed(**model, nullptr, kernels, s.plan, rule, *w, {0, 3});
  embed(**model, nullptr, kernels, s.plan, rule, *w, {3, 5});
  const std::vector<token_id> tokens = {11, 12, 13, 319, 0};
  const std::vector<std::uint32_t> positions = {0, 1, 5, 6, 7};
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    INFO("row " << row);
    std::vector<float> embedding(m.hidden);
    (*model)->embedding().read_rows(static_cast<std::uint64_t>(tokens[row]), embedding);
    auto* residual = reinterpret_cast<const float*>(w->residual.row(row));
    for (auto& x : embedding)
      x *= rule.scale;
    CHECK(std::vector<float>(residual, residual + m.hidden) == embedding);
    double worst = 0;
    for (std::size_t k = 0; k < frequencies.size(); ++k) {
      const double angle = positions[row] * static_cast<double>(frequencies[k]);
      worst =
          std::max(worst, std::abs(static_cast<double>(reinterpret_cast<const float*>(w->cos.row(row))[k]) -
                                   std::cos(angle) * static_cast<double>(rule.rope_factor)));
      worst =
          std::max(worst, std::abs(static_cast<double>(reinterpret_cast<const float*>(w->sin.row(row))[k]) -
                                   std::sin(angle) * static_cast<double>(rule.rope_factor)));
    }
    CHECK(worst < 1e-6);
  }
}

TEST_CASE("the scale of embeddings is rounded as the mode stores numbers") {
  model_config m;
  m.head_dim = m.rotary_dim = 16;
  m.embedding_scale = std::sqrt(3072.0f);
  CHECK(embedding_rule_for(m, cpu_dtype::float32, 64).scale == m.embedding_scale);
  CHECK(embedding_rule_for(m, cpu_dtype::bfloat16, 64).scale == 55.5f);
}
