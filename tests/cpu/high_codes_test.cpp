#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "cpu/lora_coding.hpp"
#include "cpu/quantised_weights.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Rows as a norm gives them: values, groups and the plane of high codes.
struct normed_rows {
  std::uint32_t rows, depth, groups;
  std::size_t high_stride;
  std::vector<float> values;
  std::vector<input_group> codes;
  std::vector<std::int8_t> high;

  normed_rows(isa which, const std::vector<float>& x, std::uint32_t r, std::uint32_t width)
      : rows(r),
        depth(width),
        groups(width / depth_multiple),
        high_stride(width + groups + 5),
        values(x.size()),
        codes(std::size_t{r} * groups),
        high(r * high_stride, 77) {
    const std::vector<float> ones(width, 1.0f);
    for (std::uint32_t m = 0; m < rows; ++m)
      kernels_for(which, cpu_dtype::float32)
          .norm({&x[std::size_t{m} * width], ones.data(), width, width, 1e-5f,
                 &values[std::size_t{m} * width], at(m), high.data() + m * high_stride});
  }

  input_group* at(std::uint32_t row) { return &codes[std::size_t{row} * groups]; }
  high_codes from(std::uint32_t row) const { return {high.data() + row * high_stride, high_stride}; }
  std::uint32_t marks(std::uint32_t row, std::uint32_t group) const {
    return from(row).marks(0, depth)[group];
  }
  int code(std::uint32_t row, std::uint32_t k) {
    const int above = marks(row, k / 32) == 0 ? 0 : high[row * high_stride + k];
    return at(row)[k / 32].codes[k % 32] + 16 * above;
  }
  double value(std::uint32_t row, std::uint32_t k) {
    return static_cast<double>(at(row)[k / 32].scale) * code(row, k);
  }
  std::uint32_t marked_quads() const {
    std::uint32_t out = 0;
    for (std::uint32_t m = 0; m < rows; ++m)
      for (std::uint32_t g = 0; g < groups; ++g)
        out += static_cast<std::uint32_t>(__builtin_popcount(marks(m, g)));
    return out;
  }
};

/// Rows of small numbers, in some of which one or two channels of a group are far larger.
std::vector<float> rows_that_stick_out(std::uint32_t rows, std::uint32_t depth) {
  auto out = some_numbers(std::size_t{rows} * depth, 61);
  const auto groups = depth / depth_multiple;
  for (std::uint32_t m = 0; m < rows; ++m) {
    auto* row = &out[std::size_t{m} * depth];
    if (m % 4 == 3) continue;
    row[m % groups * 32 + 5] = 9.0f;
    row[(m + 1) % groups * 32 + 30] = -14.0f;
    if (m % 4 == 1) row[(m + 1) % groups * 32 + 2] = 11.0f;
    if (m % 4 == 2) row[(m + 1) % groups * 32 + 8] = 3000.0f;  // farther than 16 times
  }
  return out;
}

const std::vector<weight_format> formats = {weight_format::q8_0, weight_format::q4_0, weight_format::q4_1};

/// Random packed weights, and what their codes stand for.
struct some_weights {
  weight_format format;
  std::uint32_t groups, blocks;
  std::vector<weight_group> lines;  // [blocks * 32][groups]
  std::vector<std::byte> packed;

  some_weights(weight_format f, std::uint32_t g, std::uint32_t b)
      : format(f),
        groups(g),
        blocks(b),
        lines(std::size_t{b} * 32 * g),
        packed(std::size_t{b} * g * group_bytes(f)) {
    std::mt19937 random(19);
    for (auto& w : lines) {
      for (auto& c : w.codes)
        c = static_cast<std::uint8_t>(random() % (f == weight_format::q8_0 ? 256u : 16u));
      w.scale = to_half(static_cast<float>(random() % 1000) / 4000.0f - 0.1f);
      w.minimum = f == weight_format::q4_1 ? to_half(static_cast<float>(random() % 1000) / 500.0f - 1.0f) : 0;
    }
    for (std::uint32_t block = 0; block < b; ++block) {
      const weight_group* rows[32] = {};
      for (std::uint32_t lane = 0; lane < 32; ++lane)
        rows[lane] = lines.data() + std::size_t{block * 32 + lane} * g;
      pack_groups(f, rows, g, packed.data() + std::size_t{block} * g * group_bytes(f));
    }
  }
  /// The largest sum of a weight's parts: its code and its minimum may cancel.
  double size(std::uint32_t output, std::uint32_t k) const {
    auto& g = lines[std::size_t{output} * groups + k / 32];
    return std::abs(static_cast<double>(half_to_float(g.scale))) *
               (format == weight_format::q8_0 ? 255 : 15) +
           std::abs(static_cast<double>(shift_of(format, g)));
  }
  /// See `rounding_of_sum`, for a whole row of inputs.
  double rounding(std::uint32_t output, const input_group* x) const {
    double out = 0;
    for (std::uint32_t g = 0; g < groups; ++g)
      out += rounding_of_sum(format, lines[std::size_t{output} * groups + g], x[g]);
    return out;
  }
  double value(std::uint32_t output, std::uint32_t k) const {
    auto& g = lines[std::size_t{output} * groups + k / 32];
    const int zero = format == weight_format::q8_0 ? 128 : 8;
    return static_cast<double>(half_to_float(g.scale)) * (g.codes[k % 32] - zero) +
           static_cast<double>(shift_of(format, g));
  }
};

}  // namespace

TEST_CASE("what sticks out of a group is kept apart, and the rest becomes finer") {
  auto which = GENERATE(from_range(other_instructions()));
  constexpr std::uint32_t rows = 9, depth = 576, groups = depth / 32;
  normed_rows x(which, rows_that_stick_out(rows, depth), rows, depth);
  CHECK(x.marked_quads() > rows);
  for (std::uint32_t m = 0; m < rows; ++m) {
    std::vector<input_group> plain(groups);
    kernels_for(which, cpu_dtype::float32).quantise({&x.values[m * depth], depth, plain.data()});
    double squares = 0;
    for (auto& g : plain)
      squares += static_cast<double>(g.scale) * static_cast<double>(g.scale) / groups;
    for (std::uint32_t g = 0; g < groups; ++g) {
      INFO(to_string(which) << " row " << m << " group " << g);
      auto& group = x.at(m)[g];
      const auto marks = x.marks(m, g);
      int sum = 0;
      for (std::uint32_t k = 32 * g; k < 32 * (g + 1); ++k) {
        sum += x.code(m, k);
        const auto exact = static_cast<double>(x.values[m * depth + k]);
        CHECK(std::abs(x.value(m, k) - exact) <= 0.5001 * static_cast<double>(group.scale));
        if (marks != 0 && !(marks >> k % 32 / 4 & 1)) CHECK(x.high[m * x.high_stride + k] == 0);
      }
      CHECK(group.scaled_sum == from_bfloat(to_bfloat(group.scale * static_cast<float>(sum))));
      CHECK(group.minus_8 == -8 * sum);
      CHECK(group.minus_128 == -128 * sum);
      CHECK(__builtin_popcount(marks) <= 2);
      if (marks == 0)
        CHECK(std::memcmp(&group, &plain[g], sizeof group) == 0);
      else
        CHECK(group.scale * 1.49f < plain[g].scale);
      const auto square = static_cast<double>(plain[g].scale) * static_cast<double>(plain[g].scale);
      if (square < 3.99 * squares) CHECK(marks == 0);

      CHECK(plain[g].scale <= group.scale * 16.01f);
    }
    CHECK(x.high[m * x.high_stride + depth + groups] == 77);  // nothing behind the row is written
  }
  // One channel of two large ones, both of them, and none.
  CHECK(x.marks(0, 1) == 1u << 7);
  CHECK(x.marks(1, 2) == (1u << 7 | 1u));
  for (std::uint32_t g = 0; g < groups; ++g)
    CHECK(x.marks(3, g) == 0);
}

TEST_CASE("an activation keeps a quad apart that is nearly all of its group") {
  auto which = GENERATE(from_range(other_instructions()));
  constexpr std::uint32_t groups = 7, depth = groups * 32, padding = 5, stride = depth + groups + padding;
  const std::vector<float> gate(depth, 25.0f);  // silu of it is itself
  auto wanted = some_numbers(depth, 63);
  wanted[70] = 7000.0f;  // group 2, whose other numbers are nothing beside it
  wanted[150] = -9.0f;   // group 4, beside an equal in another quad
  wanted[130] = 9.0f;
  for (std::uint32_t k = 160; k < 192; ++k)
    wanted[k] = k == 191 ? -64.0f : 1.0f;  // group 5
  std::fill_n(wanted.begin() + 192, 32, 0.0f);
  auto up = wanted;
  for (auto& x : up)
    x /= 25.0f;
  std::vector<float> y(depth), other(depth);
  std::vector<input_group> plain(groups), kept(groups), some(groups);
  std::vector<std::int8_t> high(stride, 77), part(stride, 77);
  auto& kernels = kernels_for(which, cpu_dtype::float32);
  activation_args a{gate.data(), up.data(), depth, 1, depth, y.data(), depth};
  a.groups = plain.data();
  kernels.activation(a);
  a.groups = kept.data();
  a.high = high.data();
  a.marks = high.data() + depth;
  kernels.activation(a);
  for (std::uint32_t g = 0; g < groups; ++g) {
    const auto marks = static_cast<std::uint8_t>(high[depth + g]);
    INFO(to_string(which) << " group " << g);
    CHECK(marks == (g == 2 ? 1u << 1 : g == 5 ? 1u << 7 : 0u));
    int sum = 0;
    for (std::uint32_t k = 32 * g; k < 32 * (g + 1); ++k) {
      const int code = kept[g].codes[k % 32] + (marks == 0 ? 0 : 16 * high[k]);
      sum += code;
      const auto is = static_cast<double>(kept[g].scale) * code;
      CHECK(std::abs(is - static_cast<double>(y[k])) <= 0.5001 * static_cast<double>(kept[g].scale));
    }
    CHECK(kept[g].minus_8 == -8 * sum);
    if (marks == 0) CHECK(std::memcmp(&kept[g], &plain[g], sizeof kept[g]) == 0);
  }
  CHECK(kept[2].scale < plain[2].scale / 15.9f);
  CHECK(kept[5].scale < plain[5].scale / 15.9f);
  CHECK(high[depth + groups] == 77);
  // Columns by themselves get what they get in the row.
  for (std::uint32_t g = 0; g < groups; ++g)
    kernels.activation({gate.data() + 32 * g, up.data() + 32 * g, depth, 1, 32, other.data() + 32 * g, depth,
                        activation_kind::silu, &some[g], groups, part.data() + 32 * g,
                        part.data() + depth + g, stride});
  CHECK(std::memcmp(some.data(), kept.data(), groups * sizeof some[0]) == 0);
  CHECK(part == high);
}

TEST_CASE("products take high codes with the others, in every row alone and among others") {
  auto which = GENERATE(from_range(other_instructions()));
  auto format = GENERATE(from_range(formats));
  auto groups = GENERATE(6u, 18u);
  constexpr std::uint32_t rows = 29, blocks = 5, outputs = blocks * 32;
  INFO(to_string(which) << ' ' << to_string(format));
  normed_rows x(which, rows_that_stick_out(rows, groups * 32), rows, groups * 32);
  REQUIRE(x.marked_quads() > 10);
  const some_weights w(format, groups, blocks);
  auto multiply = [&](std::uint32_t first, std::uint32_t count) {
    std::vector<float> y(std::size_t{count} * outputs);
    gemm_args a{x.at(first), groups, count, w.packed.data(), groups * 32, blocks, nullptr, y.data(), outputs};
    a.high = x.from(first);
    kernels_for(which, cpu_dtype::bfloat16).gemm_for(format)(a);
    return y;
  };
  const auto all = multiply(0, rows);
  for (std::uint32_t m = 0; m < rows; ++m)
    for (std::uint32_t n = 0; n < outputs; ++n) {
      double sum = w.rounding(n, x.at(m)), size = 0;
      for (std::uint32_t k = 0; k < groups * 32; ++k) {
        sum += x.value(m, k) * w.value(n, k);
        size += std::abs(x.value(m, k)) * w.size(n, k);
      }
      CHECK(std::abs(static_cast<double>(all[m * outputs + n]) - sum) < 1e-6 * size);
    }
  for (std::uint32_t count : {1u, 2u, 4u, 7u, 12u, 13u})
    for (std::uint32_t first = 0; first + count <= rows; first += 3) {
      const auto some = multiply(first, count);
      CHECK(std::equal(some.begin(), some.end(), all.begin() + first * outputs));
    }
}

TEST_CASE("low-rank inputs take high codes with the others") {
  auto which = GENERATE(from_range(other_instructions()));
  constexpr std::uint32_t rows = 13, depth = 576, ranks = 20;
  normed_rows x(which, rows_that_stick_out(rows, depth), rows, depth);
  const auto a = some_numbers(std::size_t{ranks} * depth, 62);
  std::vector<std::byte> packed(coded_a_bytes(ranks, depth));
  std::vector<float> scales(ranks + rank_lanes);
  pack_coded_a(a, ranks, depth, 0, packed.data(), scales.data());
  auto shrink = [&](std::uint32_t first, std::uint32_t count) {
    std::vector<float> u(std::size_t{count} * 32);
    shrink_codes_args s{x.at(first),   depth / 32, count, packed.data(), depth, ranks,
                        scales.data(), nullptr,    1.0f,  u.data(),      32};
    s.high = x.from(first);
    kernels_for(which, cpu_dtype::bfloat16).shrink_codes(s);
    return u;
  };
  const auto all = shrink(0, rows);
  for (std::uint32_t m = 0; m < rows; ++m) {
    for (std::uint32_t r = 0; r < ranks; ++r) {
      double sum = 0, size = 0;
      for (std::uint32_t k = 0; k < depth; ++k) {
        const auto code =
            std::nearbyint(static_cast<double>(a[r * depth + k]) / static_cast<double>(scales[r]));
        sum += x.value(m, k) * code * static_cast<double>(scales[r]);
        size += std::abs(x.value(m, k));
      }
      CHECK(std::abs(static_cast<double>(all[m * 32 + r]) - sum) < 2e-5 * size);
    }
    const auto alone = shrink(m, 1);
    CHECK(std::equal(alone.begin(), alone.begin() + ranks, all.begin() + m * 32));
  }
}

TEST_CASE("as many groups as may have high codes fit a tile of rows that have them in different places") {
  auto which = GENERATE(from_range(other_instructions()));
  constexpr std::uint32_t rows = 12, groups = most_marked_groups, depth = groups * 32;
  std::vector<float> values(std::size_t{rows} * depth, 0.0f);
  for (std::uint32_t m = 0; m < rows; ++m)
    for (std::uint32_t i = 0; i < groups / 4 - 1; ++i) {
      auto* group = &values[std::size_t{m} * depth + (i * 4 + m) % groups * 32];
      group[4 * ((m + i) % 8)] = 8.0f;
      group[4 * ((m + i + 3) % 8)] = -7.0f;
      group[4 * ((m + i + 5) % 8) + 1] = 1.0f;
    }
  normed_rows x(which, values, rows, depth);
  CHECK(x.marked_quads() == rows * 2 * (groups / 4 - 1));
  const some_weights w(weight_format::q4_0, groups, 1);
  std::vector<float> y(rows * 32);
  gemm_args a{x.at(0), groups, rows, w.packed.data(), depth, 1, nullptr, y.data(), 32};
  a.high = x.from(0);
  kernels_for(which, cpu_dtype::float32).gemm_q4_0(a);
  for (std::uint32_t m = 0; m < rows; ++m)
    for (std::uint32_t n = 0; n < 32; ++n) {
      double sum = 0, size = 0;
      for (std::uint32_t k = 0; k < depth; ++k) {
        sum += x.value(m, k) * w.value(n, k);
        size += std::abs(x.value(m, k)) * w.size(n, k);
      }
      CHECK(std::abs(static_cast<double>(y[m * 32 + n]) - sum) < 1e-6 * size);
    }
}

TEST_CASE("a row that is not finite spoils itself, high codes or not") {
  auto which = GENERATE(from_range(other_instructions()));
  auto bad = GENERATE(std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity());
  auto values = rows_that_stick_out(3, 192);
  values[192 + 40] = bad;
  normed_rows x(which, values, 3, 192);
  const some_weights w(weight_format::q4_1, 6, 1);
  std::vector<float> y(3 * 32);
  gemm_args a{x.at(0), 6, 3, w.packed.data(), 192, 1, nullptr, y.data(), 32};
  a.high = x.from(0);
  kernels_for(which, cpu_dtype::float32).gemm_q4_1(a);
  for (std::uint32_t n = 0; n < 32; ++n) {
    CHECK(std::isfinite(y[n]));
    CHECK_FALSE(std::isfinite(y[32 + n]));
    CHECK(std::isfinite(y[64 + n]));
  }
}
