#include "model/rope.hpp"

#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr std::uint32_t head_dim = 128;

rope_config llama3() {
  rope_config rope;
  rope.theta = 500'000;
  rope.kind = rope_config::scaling::llama3;
  rope.factor = 8;
  return rope;
}

}  // namespace

TEST_CASE("unscaled frequencies fall from 1 by theta^(-2/d) per pair") {
  rope_config rope;
  auto f = rope_frequencies(rope, 4, 2048);
  REQUIRE(f.size() == 2);
  CHECK(f[0] == 1.0f);
  CHECK(f[1] == Approx(0.01).epsilon(1e-7));
}

TEST_CASE("llama3 scaling keeps short waves, stretches long ones and blends those between") {
  rope_config plain;
  plain.theta = 500'000;
  const auto base = rope_frequencies(plain, head_dim, 2048);
  const auto f = rope_frequencies(llama3(), head_dim, 2048);
  REQUIRE(f.size() == 64);
  for (std::size_t k = 0; k <= 28; ++k)
    CHECK(f[k] == base[k]);
  CHECK(f[28] == Approx(0.00321144599).epsilon(1e-6));
  CHECK(base[29] == Approx(0.00261609925).epsilon(1e-6));
  CHECK(f[29] == Approx(0.00216657076).epsilon(1e-6));
  CHECK(f[32] == Approx(0.000524846161).epsilon(1e-6));
  CHECK(base[35] == Approx(0.000764496988).epsilon(1e-6));
  CHECK(f[35] == Approx(0.0000955621235).epsilon(1e-6));
  const double ratios[] = {1.207484, 1.553415, 2.026313, 2.694530, 3.684253, 5.257327, 8};
  for (std::size_t k = 29; k <= 35; ++k)
    CHECK(base[k] / f[k] == Approx(ratios[k - 29]).epsilon(1e-6));
  for (std::size_t k = 36; k < 64; ++k)
    CHECK(base[k] / f[k] == Approx(8).epsilon(1e-6));
}

TEST_CASE("linear scaling divides every frequency, divisors each its own") {
  rope_config rope;
  rope.kind = rope_config::scaling::linear;
  rope.factor = 4;
  auto linear = rope_frequencies(rope, 4, 2048);
  CHECK(linear[0] == 0.25f);
  CHECK(linear[1] == Approx(0.0025).epsilon(1e-7));
  rope.kind = rope_config::scaling::none;
  rope.divisors = {1, 8};
  auto divided = rope_frequencies(rope, 4, 2048);
  CHECK(divided[0] == 1.0f);
  CHECK(divided[1] == Approx(0.00125).epsilon(1e-7));
}

TEST_CASE("yarn keeps fast pairs, stretches slow ones, with a ramp between") {
  rope_config rope;
  rope.theta = 1e6;
  const auto base = rope_frequencies(rope, head_dim, 2048);
  rope.kind = rope_config::scaling::yarn;
  rope.factor = 4;
  rope.original_max_positions = 32'768;
  const auto f = rope_frequencies(rope, head_dim, 2048);
  for (std::size_t k = 0; k <= 23; ++k)
    CHECK(f[k] == base[k]);
  CHECK(base[24] == Approx(0.00562341325).epsilon(1e-6));
  CHECK(f[24] == Approx(0.00537532149).epsilon(1e-6));
  CHECK(f[31] == Approx(0.000802959728).epsilon(1e-6));
  CHECK(base[39] / f[39] == Approx(3.4).epsilon(1e-6));
  for (std::size_t k = 40; k < 64; ++k)
    CHECK(base[k] / f[k] == Approx(4).epsilon(1e-6));
  CHECK(yarn_attention_factor(4, 1) == Approx(1.138629436));
  CHECK(yarn_attention_factor(0.5, 1) == 1);
}

TEST_CASE("longrope has one set of factors within the original length and one beyond") {
  rope_config rope;
  rope.kind = rope_config::scaling::longrope;
  rope.original_max_positions = 64;
  rope.short_factor = {1, 2};
  rope.long_factor = {4, 5};
  for (std::uint32_t positions : {1u, 64u}) {
    auto f = rope_frequencies(rope, 4, positions);
    CHECK(f[0] == 1.0f);
    CHECK(f[1] == Approx(0.005).epsilon(1e-6));
  }
  auto f = rope_frequencies(rope, 4, 65);
  CHECK(f[0] == 0.25f);
  CHECK(f[1] == Approx(0.002).epsilon(1e-6));
}
