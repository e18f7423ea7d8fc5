#include "cpu/gemm.hpp"

#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// X [rows, depth] and W [outputs, depth], packed as the executor packs.
struct problem {
  std::uint32_t rows, depth, outputs, stride;
  std::vector<float> x, w, bias, y;
  elements stored_x;
  std::vector<std::byte> packed;

  problem(cpu_dtype dtype, std::uint32_t r, std::uint32_t k, std::uint32_t n)
      : rows(r),
        depth(k),
        outputs(n),
        stride(padded_depth(k) + 6),
        x(some_numbers(std::size_t{r} * stride, 11)),
        w(some_numbers(std::size_t{n} * k, 12)),
        bias(some_numbers(std::size_t{blocks()} * 32, 13)),
        y(some_numbers(std::size_t{r} * width(), 14)),
        stored_x(dtype, 0),
        packed(std::size_t{blocks()} * 32 * padded_depth(k) * element_bytes(dtype)) {
    for (std::uint32_t row = 0; row < r; ++row)
      for (std::uint32_t i = k; i < stride; ++i)
        x[row * stride + i] = 0;
    stored_x = stored(dtype, x);
    for (std::uint32_t b = 0; b < blocks(); ++b) {
      const float* lines[32] = {};
      for (std::uint32_t lane = 0; lane < 32 && b * 32 + lane < n; ++lane)
        lines[lane] = w.data() + std::size_t{b * 32 + lane} * k;
      pack_block(dtype, lines, k, padded_depth(k),
                 packed.data() + std::size_t{b} * 32 * padded_depth(k) * element_bytes(dtype));
    }
  }

  std::uint32_t blocks() const { return blocks_for(outputs); }
  std::uint32_t width() const { return blocks() * 32 + 3; }

  gemm_args args(std::vector<float>& out, gemm_into into, const float* b) {
    return {stored_x.at(0), stride, rows,       packed.data(), padded_depth(depth),
            blocks(),       b,      out.data(), width(),       into};
  }
};

}  // namespace

TEST_CASE("a matrix product equals the sum of products, whatever tail its shape has") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto rows = GENERATE(1u, 2u, 3u, 5u, 7u, 12u, 13u, 25u, 40u);
  auto shape = GENERATE(std::pair(1u, 1u), std::pair(31u, 33u), std::pair(64u, 32u), std::pair(48u, 100u),
                        std::pair(96u, 257u), std::pair(576u, 64u));
  INFO(to_string(which) << ' ' << to_string(dtype) << ' ' << rows << " x " << shape.first << " x "
                        << shape.second);
  problem p(dtype, rows, shape.first, shape.second);
  auto with_bias = rows % 2 == 1;
  auto into = rows % 3 == 0 ? gemm_into::store : gemm_into::add;
  auto y = p.y;
  kernels_for(which, dtype).gemm(p.args(y, into, with_bias ? p.bias.data() : nullptr));
  double worst = 0;
  for (std::uint32_t m = 0; m < rows; ++m)
    for (std::uint32_t n = 0; n < p.outputs; ++n) {
      double sum = with_bias ? p.bias[n] : 0.0f;
      for (std::uint32_t k = 0; k < p.depth; ++k)
        sum += static_cast<double>(p.x[m * p.stride + k]) * static_cast<double>(p.w[n * p.depth + k]);
      if (into == gemm_into::add) sum += static_cast<double>(p.y[m * p.width() + n]);
      worst =
          std::max(worst, std::abs(sum - static_cast<double>(y[m * p.width() + n])) / (1 + std::abs(sum)));
    }
  CHECK(worst < 2e-5);
  for (std::uint32_t m = 0; m < rows; ++m)
    for (std::uint32_t n = p.blocks() * 32; n < p.width(); ++n)
      CHECK(y[m * p.width() + n] == p.y[m * p.width() + n]);
}

TEST_CASE("a row's products are bit-equal alone and among any number of rows") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which) << ' ' << to_string(dtype));
  problem p(dtype, 40, 200, 330);
  auto all = p.y;
  kernels_for(which, dtype).gemm(p.args(all, gemm_into::store, nullptr));
  for (std::uint32_t rows : {1u, 2u, 4u, 6u, 9u, 11u, 12u, 17u})
    for (std::uint32_t first = 0; first + rows <= 40; first += 5) {
      std::vector<float> y(p.y.size());
      auto a = p.args(y, gemm_into::store, nullptr);
      a.x = p.stored_x.at(std::size_t{first} * p.stride);
      a.rows = rows;
      // Blocks one by one: what a thread owns does not matter either.
      for (std::uint32_t b = 0; b < p.blocks(); b += rows) {
        auto part = a;
        part.blocks = std::min(rows, p.blocks() - b);
        part.weights = p.packed.data() + std::size_t{b} * 32 * a.depth * element_bytes(dtype);
        part.y = y.data() + b * 32;
        kernels_for(which, dtype).gemm(part);
      }
      bool same = true;
      for (std::uint32_t m = 0; m < rows; ++m)
        for (std::uint32_t n = 0; n < p.outputs; ++n)
          same = same && y[m * p.width() + n] == all[(first + m) * p.width() + n];
      CHECK(same);
    }
}

TEST_CASE("a packed block is whole, whatever its memory held") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  const auto weights = some_numbers(5, 15);
  const float* rows[32] = {};
  rows[3] = weights.data();
  auto packed_over = [&](std::byte before) {
    std::vector<std::byte> out(32 * 6 * element_bytes(dtype), before);
    pack_block(dtype, rows, 5, 6, out.data());
    return out;
  };
  CHECK(packed_over(std::byte{0xff}) == packed_over(std::byte{0}));
}
