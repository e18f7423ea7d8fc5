#include "gpu/embedding.hpp"

#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;
using gpu::number_format;

TEST_CASE("a row on the device begins as its token's embedding, with the angles of its position") {
  auto d = open_test_device();
  if (!d) return;
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  auto width = GENERATE(1u, 40u, 577u);
  auto half = GENERATE(1u, 4u, 150u);
  constexpr std::uint32_t vocab = 7;
  const std::size_t stride = width + 2;
  const std::vector<token_id> tokens{6, sampled_last, 0, 7, -3}, sampled{9, 9, 5};
  const std::vector<std::uint32_t> slots{0, 2, 1, 0, 0}, positions{0, 31, 4000, 1, 2};
  const std::vector<token_id> read{6, 5, 0};
  auto table = exact_numbers(vocab * width, 1);
  std::vector<float> frequencies(half);
  for (std::size_t k = 0; k < half; ++k)
    frequencies[k] = 1.0f / static_cast<float>(k + 1);
  gpu::embedding_args a;
  a.tokens = d->put(tokens);
  a.slots = d->put(slots);
  a.sampled = d->put(sampled);
  a.positions = d->put(positions);
  a.rows = static_cast<std::uint32_t>(tokens.size());
  a.table = d->put(as_bfloat(table));
  a.vocab = vocab;
  a.width = width;
  a.scale = 0.5f;
  a.format = format;
  a.x_stride = stride;
  if (format == number_format::float32)
    a.x = d->room<float>(stride * tokens.size());
  else
    a.x = d->room<bfloat>(stride * tokens.size());
  a.frequencies = d->put(frequencies);
  a.frequency_count = half;
  a.rope_factor = 2;
  a.cos = d->room<float>(half * tokens.size());
  a.sin = d->room<float>(half * tokens.size());
  must(gpu::embed(a, d->stream));
  auto x = format == number_format::float32
               ? d->get(static_cast<float*>(a.x), stride * tokens.size())
               : as_float(d->get(static_cast<bfloat*>(a.x), stride * tokens.size()));
  auto cos = d->get(a.cos, half * tokens.size()), sin = d->get(a.sin, half * tokens.size());
  for (std::size_t row = 0; row < tokens.size(); ++row) {
    for (std::size_t k = 0; k < width; ++k)
      if (row < read.size())
        REQUIRE(x[row * stride + k] == 0.5f * table[static_cast<std::size_t>(read[row]) * width + k]);
      else
        REQUIRE(std::isnan(x[row * stride + k]));
    REQUIRE(std::isnan(x[row * stride + width]));
    for (std::size_t k = 0; k < half; ++k) {
      const auto angle = static_cast<double>(static_cast<float>(positions[row]) * frequencies[k]);
      REQUIRE(std::abs(static_cast<double>(cos[row * half + k]) - 2 * std::cos(angle)) < 1e-6);
      REQUIRE(std::abs(static_cast<double>(sin[row * half + k]) - 2 * std::sin(angle)) < 1e-6);
    }
  }
}
