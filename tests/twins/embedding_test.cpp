#include "gpu/embedding.hpp"

#include "cpu/embedding.hpp"
#include "tests/cpu/planned_step.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("a row begins alike in both executors, and a bfloat16 table gives the same bits") {
  auto d = open_test_device();
  if (!d) return;
  auto opened = open_model(LORICA_TEST_DATA "/golden/models/llama-tied-gqa");
  REQUIRE(opened);
  auto& model = **opened;
  auto& m = model.config();
  executor_limits limits;
  limits.blocks = 8;
  limits.max_sequences = 2;
  limits.max_rows = 16;
  limits.max_positions = 64;
  planned_step s(limits, m);
  const std::vector<token_id> tokens{9, 319, 7, 0, 5};
  s.add(0, 0, tokens, {0});
  REQUIRE(s.prepare());
  auto w = workspace::allocate(m, limits, cpu_dtype::bfloat16, 2, 1 << 20);
  REQUIRE(w);
  const auto rule = embedding_rule_for(m, cpu_dtype::bfloat16, limits.max_positions);
  embed(model, nullptr, kernels_for(isa::portable, cpu_dtype::bfloat16), s.plan, rule, *w, {0, 5});

  std::vector<gpu::bfloat> table;
  for (std::uint32_t token = 0; token < m.vocab; ++token) {
    std::vector<float> row(m.hidden);
    model.embedding().read_rows(token, row);
    for (auto x : row)
      table.push_back(gpu::to_bfloat(x));
  }
  gpu::embedding_args a;
  a.tokens = d->put(tokens);
  a.slots = d->put(std::vector<std::uint32_t>(tokens.size(), 0));
  a.sampled = d->put(std::vector<token_id>{0});
  a.positions = d->put(std::vector<std::uint32_t>{0, 1, 2, 3, 4});
  a.rows = static_cast<std::uint32_t>(tokens.size());
  a.table = d->put(table);
  a.vocab = m.vocab;
  a.width = m.hidden;
  a.scale = rule.scale;
  auto* rows = d->room<float>(tokens.size() * m.hidden);
  a.x = rows;
  a.x_stride = m.hidden;
  a.frequencies = d->put(rule.frequencies);
  a.frequency_count = static_cast<std::uint32_t>(rule.frequencies.size());
  a.rope_factor = rule.rope_factor;
  a.cos = d->room<float>(tokens.size() * rule.frequencies.size());
  a.sin = d->room<float>(tokens.size() * rule.frequencies.size());
  must(gpu::embed(a, d->stream));
  const auto x = d->get(rows, tokens.size() * m.hidden);
  const auto cos = d->get(a.cos, tokens.size() * rule.frequencies.size());
  const auto sin = d->get(a.sin, tokens.size() * rule.frequencies.size());
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    auto* on_cpu = reinterpret_cast<const float*>(w->residual.row(row));
    for (std::size_t k = 0; k < m.hidden; ++k)
      REQUIRE(x[row * m.hidden + k] == gpu::to_float(gpu::to_bfloat(on_cpu[k] / rule.scale)) * rule.scale);
    for (std::size_t k = 0; k < rule.frequencies.size(); ++k) {
      const auto i = row * rule.frequencies.size() + k;
      CHECK(std::abs(cos[i] - reinterpret_cast<const float*>(w->cos.row(row))[k]) < 1e-6f);
      CHECK(std::abs(sin[i] - reinterpret_cast<const float*>(w->sin.row(row))[k]) < 1e-6f);
    }
  }
}
