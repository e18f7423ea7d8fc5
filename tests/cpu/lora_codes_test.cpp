#include "cpu/lora_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/bfloat.hpp"
#include "cpu/lora_coding.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

std::uint32_t groups_of(std::uint32_t width) {
  return (width + depth_multiple - 1) / depth_multiple;
}

/// Rows of inputs as codes, and what the codes stand for.
struct coded_rows {
  std::uint32_t depth, stride;
  std::vector<input_group> groups;

  coded_rows(const std::vector<float>& x, std::uint32_t rows, std::uint32_t width)
      : depth(width), stride(groups_of(width) + 1), groups(std::size_t{rows} * stride) {
    for (std::uint32_t row = 0; row < rows; ++row)
      portable_kernels(cpu_dtype::float32).quantise({&x[std::size_t{row} * width], width, at(row)});
  }
  input_group* at(std::uint32_t row) { return &groups[std::size_t{row} * stride]; }
  double value(std::uint32_t row, std::uint32_t k) {
    auto& g = at(row)[k / depth_multiple];
    return static_cast<double>(g.scale) * g.codes[k % depth_multiple];
  }
};

/// A as `pack_coded_a` lays it out, in two parts, and what its codes stand for.
struct coded_a {
  std::uint32_t ranks, depth;
  std::vector<std::byte> data;
  std::vector<float> scales;

  coded_a(const std::vector<float>& a, std::uint32_t r, std::uint32_t d)
      : ranks(r), depth(d), data(coded_a_bytes(r, d)), scales(r + rank_lanes) {
    const auto first = r / 2;
    const auto cols = a.size() / r;
    if (first != 0) pack_coded_a(std::span(a).first(first * cols), first, d, 0, data.data(), scales.data());
    pack_coded_a(std::span(a).subspan(first * cols), r - first, d, first, data.data(), scales.data());
  }
  double value(std::uint32_t r, std::uint32_t k) const {
    const auto at = std::size_t{r / 16} * 16 * depth + k / 4 * 64 + r % 16 * 4 + k % 4;
    return static_cast<double>(scales[r]) * (std::to_integer<int>(data[at]) - 128);
  }
};

struct coded_b {
  std::uint32_t rank, blocks;
  std::vector<std::byte> data;

  /// `b` is [blocks * 32, rank]; the last output is left out.
  coded_b(const std::vector<float>& b, std::uint32_t r, std::uint32_t count)
      : rank((r + 3) / 4 * 4), blocks(count), data(count * coded_b_bytes(rank)) {
    for (std::uint32_t block = 0; block < blocks; ++block) {
      const float* rows[block_outputs] = {};
      for (std::uint32_t lane = 0; lane < block_outputs && block * block_outputs + lane + 1 < blocks * 32;
           ++lane)
        rows[lane] = &b[(std::size_t{block} * block_outputs + lane) * r];
      pack_coded_block(rows, r, rank, data.data() + block * coded_b_bytes(rank));
    }
  }
  double value(std::uint32_t output, std::uint32_t k) const {
    const auto* block = data.data() + output / 32 * coded_b_bytes(rank);
    const auto lane = output % 32;
    std::uint16_t scale = 0;
    std::memcpy(&scale, block + std::size_t{32} * rank + lane * sizeof scale, sizeof scale);
    const auto code = block[std::size_t{lane / 16} * 16 * rank + k / 4 * 64 + lane % 16 * 4 + k % 4];
    return static_cast<double>(from_bfloat(scale)) * (std::to_integer<int>(code) - 128);
  }
};

}  // namespace

TEST_CASE("the low-rank inputs of codes are the scaled sums of what the codes stand for") {
  auto which = GENERATE(from_range(other_instructions()));
  auto rows = GENERATE(1u, 3u, 8u, 13u);
  auto ranks = GENERATE(4u, 16u, 20u, 48u);
  auto depth = GENERATE(32u, 96u, 576u);
  INFO(to_string(which) << ' ' << rows << " x " << depth << " x " << ranks);
  auto x = some_numbers(std::size_t{rows} * depth, 31);
  coded_rows input(x, rows, depth);
  const coded_a a(some_numbers(std::size_t{ranks} * depth, 32), ranks, depth);
  auto scaling = some_numbers(std::size_t{ranks} + rank_lanes, 33);
  const auto stride = ranks + rank_lanes;
  auto with = [&](input_group* from, std::uint32_t count, const float* scale) {
    std::vector<float> u(std::size_t{count} * stride, -1.0f);
    kernels_for(which, cpu_dtype::bfloat16)
        .shrink_codes({from, input.stride, count, a.data.data(), depth, ranks, a.scales.data(), scale, 0.75f,
                       u.data(), stride});
    return u;
  };
  auto u = with(input.at(0), rows, scaling.data());
  auto bare = with(input.at(0), rows, nullptr);
  for (std::uint32_t m = 0; m < rows; ++m) {
    auto alone = with(input.at(m), 1, scaling.data());
    for (std::uint32_t r = 0; r < ranks; ++r) {
      double sum = 0, size = 0;
      for (std::uint32_t k = 0; k < depth; ++k) {
        sum += input.value(m, k) * a.value(r, k);
        size += std::abs(input.value(m, k) * a.value(r, k));
      }
      const auto at = std::size_t{m} * stride + r;
      CHECK(std::abs(static_cast<double>(bare[at]) - 0.75 * sum) < 1e-6 * size + 1e-12);
      CHECK(std::abs(static_cast<double>(u[at]) - 0.75 * sum * static_cast<double>(scaling[r])) <
            1e-6 * size + 1e-12);
      CHECK(alone[r] == u[at]);
    }
  }
}

TEST_CASE("the way back from codes adds what the codes stand for, for any rank") {
  auto which = GENERATE(from_range(other_instructions()));
  auto rows = GENERATE(1u, 2u, 7u, 12u);
  auto rank = GENERATE(1u, 4u, 6u, 16u, 36u, 64u);
  INFO(to_string(which) << ' ' << rows << " rows, rank " << rank);
  constexpr std::uint32_t blocks = 3, width = blocks * block_outputs;
  auto low = some_numbers(std::size_t{rows} * (rank + 32), 41);
  const coded_b b(some_numbers(std::size_t{width} * rank, 42), rank, blocks);
  const auto before = some_numbers(std::size_t{rows} * (width + 16), 43);
  const auto& kernels = kernels_for(which, cpu_dtype::bfloat16);
  const auto stride = groups_of(rank) + 1;
  std::vector<input_group> u(std::size_t{rows} * stride);
  for (std::uint32_t m = 0; m < rows; ++m) {
    // What lies behind a site's ranks belongs to another one.
    low[std::size_t{m} * (rank + 32) + rank] = std::nanf("");
    kernels.quantise_low_rank({&low[std::size_t{m} * (rank + 32)], rank, &u[std::size_t{m} * stride]});
  }
  auto y = before;
  kernels.expand_codes({u.data(), stride, rows, b.data.data(), b.rank, blocks, y.data(), width + 16});
  for (std::uint32_t m = 0; m < rows; ++m) {
    std::vector<float> alone(before.begin() + m * (width + 16), before.begin() + (m + 1) * (width + 16));
    kernels.expand_codes(
        {&u[std::size_t{m} * stride], stride, 1, b.data.data(), b.rank, blocks, alone.data(), width});
    for (std::uint32_t n = 0; n < width + 16; ++n) {
      const auto at = std::size_t{m} * (width + 16) + n;
      double sum = static_cast<double>(before[at]), size = std::abs(sum);
      for (std::uint32_t k = 0; k < rank && n < width; ++k) {
        auto& g = u[std::size_t{m} * stride + k / 32];
        const double term = static_cast<double>(g.scale) * g.codes[k % 32] * b.value(n, k);
        sum += term;
        size += std::abs(term);
      }
      CHECK(std::abs(static_cast<double>(y[at]) - sum) < 1e-6 * size);
      CHECK(alone[n] == y[at]);
    }
  }
}

TEST_CASE("codes stay within half a step of the numbers, whatever their size") {
  auto size = GENERATE(1e-12f, 1e-5f, 1.0f, 300.0f);
  INFO(size);
  auto numbers = some_numbers(std::size_t{20} * 48, 51);
  for (auto& x : numbers)
    x *= size;
  const coded_a a(numbers, 20, 64);
  const coded_b b(numbers, 30, 1);
  for (std::uint32_t r = 0; r < 20; ++r) {
    float largest = 0;
    for (std::uint32_t k = 0; k < 48; ++k)
      largest = std::max(largest, std::abs(numbers[std::size_t{r} * 48 + k]));
    for (std::uint32_t k = 0; k < 48; ++k)
      CHECK(std::abs(a.value(r, k) - static_cast<double>(numbers[std::size_t{r} * 48 + k])) <=
            0.501 * static_cast<double>(largest) / 127);
  }
  for (std::uint32_t n = 0; n < 31; ++n) {
    float largest = 0;
    for (std::uint32_t k = 0; k < 30; ++k)
      largest = std::max(largest, std::abs(numbers[std::size_t{n} * 30 + k]));
    for (std::uint32_t k = 0; k < 30; ++k)  // the scale is a bfloat16 that is not smaller
      CHECK(std::abs(b.value(n, k) - static_cast<double>(numbers[std::size_t{n} * 30 + k])) <=
            0.505 * static_cast<double>(largest) / 127);
  }
  for (std::uint32_t k = 0; k < 30; ++k)
    CHECK(b.value(31, k) == 0);  // an output that is not there
}

TEST_CASE("a number that is not finite makes its row of codes so") {
  const float bad = GENERATE(std::numeric_limits<float>::infinity(), std::nanf(""));
  auto numbers = some_numbers(std::size_t{32} * 32, 52);
  numbers[32 * 3 + 5] = bad;
  const coded_a a(numbers, 32, 32);
  const coded_b b(numbers, 32, 1);
  for (std::uint32_t r = 0; r < 31; ++r) {
    CHECK(std::isnan(a.value(r, 0)) == (r == 3));
    CHECK(std::isnan(b.value(r, 0)) == (r == 3));
  }
}

TEST_CASE("codes are the nearest whole numbers, ties to even, in any place and of any length") {
  auto rank = GENERATE(1u, 3u, 4u, 16u, 18u, 70u);
  auto first = GENERATE(0u, 3u, 16u, 20u);
  constexpr std::uint32_t cols = 71, depth = 96;
  INFO(rank << " rows from " << first);
  auto numbers = some_numbers(std::size_t{std::max(rank, block_outputs)} * cols, 53);
  const float ties[] = {127, 0.5f, 1.5f, -2.5f, 126.5f, -127};  // of the scale 1
  for (std::uint32_t r = 0; r < rank; r += 2)
    std::ranges::copy(ties, numbers.begin() + std::size_t{r} * cols);
  auto nearest = [](const float* row, std::uint32_t count, float scale, std::uint32_t k) {
    return k < count ? static_cast<int>(std::nearbyint(row[k] * (1 / scale))) + 128 : 128;
  };
  auto largest = [](const float* row, std::uint32_t count) {
    float out = 0;
    for (std::uint32_t k = 0; k < count; ++k)
      out = std::max(out, std::abs(row[k]));
    return out;
  };

  const auto untouched = std::byte{7};
  std::vector<std::byte> a(coded_a_bytes(first + rank + 1, depth), untouched);
  std::vector<float> scales(first + rank + 1, -1.0f);
  pack_coded_a(std::span(numbers).first(std::size_t{rank} * cols), rank, depth, first, a.data(),
               scales.data());
  for (std::uint32_t r = 0; r < first + rank + 1; ++r) {
    const bool own = r >= first && r < first + rank;
    const float* row = own ? &numbers[std::size_t{r - first} * cols] : nullptr;
    REQUIRE(scales[r] == (own ? largest(row, cols) / 127 : -1.0f));
    for (std::uint32_t k = 0; k < depth; ++k) {
      const auto at = std::size_t{r / 16} * 16 * depth + k / 4 * 64 + r % 16 * 4 + k % 4;
      const bool written = own && k < (cols + 3) / 4 * 4;
      REQUIRE(std::to_integer<int>(a[at]) == (written ? nearest(row, cols, scales[r], k) : 7));
    }
  }

  const float* rows[block_outputs] = {};
  for (std::uint32_t n = 0; n < 30; ++n)
    rows[n] = &numbers[std::size_t{n} * cols];
  const auto padded = (rank + 3) / 4 * 4;
  std::vector<std::byte> b(coded_b_bytes(padded));
  pack_coded_block(rows, rank, padded, b.data());
  for (std::uint32_t n = 0; n < block_outputs; ++n) {
    std::uint16_t scale = 0;
    std::memcpy(&scale, b.data() + std::size_t{block_outputs} * padded + n * sizeof scale, sizeof scale);
    for (std::uint32_t k = 0; k < padded; ++k) {
      const auto code = b[std::size_t{n / 16} * 16 * padded + k / 4 * 64 + n % 16 * 4 + k % 4];
      const auto want = rows[n] ? nearest(rows[n], rank, from_bfloat(scale), k) : 128;
      REQUIRE(std::to_integer<int>(code) == want);
    }
  }
}
