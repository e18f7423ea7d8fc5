#include "gpu/lora.hpp"

#include "tests/gpu/lora_case.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::number_format;

namespace {

/// One module of `rank` at the only part.
test_adapter plain(std::uint32_t rank, float scaling = 0.5f) {
  return {{.rank = rank, .scaling = scaling}};
}

std::vector<float> row_of(const lora_case& c, const std::vector<float>& y, std::uint32_t row) {
  const auto* at = y.data() + row * c.y_stride();
  return {at, at + c.width()};
}

/// The low-rank inputs of a row before they are rounded, planes added in order.
std::vector<float> inputs_of(test_device& d, const lora_case& c, const gpu::lora_args& a, std::uint32_t row) {
  auto tiles = d.get(a.tiles.few, c.rows);
  tiles.resize(a.grid.few);
  const auto many = d.get(a.tiles.many, a.grid.many);
  tiles.insert(tiles.end(), many.begin(), many.end());
  const auto t = *std::ranges::find_if(
      tiles, [&](auto& tile) { return row >= tile.first_row && row < tile.first_row + tile.rows; });
  const auto planes = t.apart ? gpu::lora_planes(c.depth) : 1;
  const auto all = d.get(a.inputs + t.first_input, std::size_t{planes} * t.rows * t.width);
  std::vector<float> out;
  for (std::size_t column = 0; column < t.width; ++column) {
    float sum = all[(row - t.first_row) * t.width + column];
    for (std::size_t plane = 1; plane < planes; ++plane)
      sum += all[(plane * t.rows + row - t.first_row) * t.width + column];
    out.push_back(sum);
  }
  return out;
}

}  // namespace

TEST_CASE("adapters of any rank add their part to rows of any number") {
  auto d = open_test_device();
  if (!d) return;
  auto rank = GENERATE(1u, 3u, 8u, 16u, 17u, 64u, 100u, 128u);
  auto rows = GENERATE(1u, 9u, 35u);
  auto few_rows = rows == 1 ? 64 : GENERATE(0u, 64u);
  INFO("rank " << rank << ", " << rows << " rows, few are " << few_rows);
  lora_case c{.depth = 72, .outputs = {40}, .adapters = {plain(rank)}, .few_rows = few_rows};
  c.add_segment(0, rows, {{0, 0.75f}});
  c.fill(rank);
  check_outputs(c, run_case(*d, c));
}

TEST_CASE("inputs and outputs of odd numbers are added up whole, in either format") {
  auto d = open_test_device();
  if (!d) return;
  struct shape {
    std::uint32_t depth, outputs;
    std::size_t gap;
  };
  auto [depth, outputs, gap] =
      GENERATE(shape{1, 1, 0}, shape{31, 7, 8}, shape{40, 64, 0}, shape{255, 265, 8}, shape{257, 16, 8},
               shape{1024, 9, 0}, shape{1029, 300, 0}, shape{2500, 40, 8});
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  auto few_rows = GENERATE(0u, 64u);
  INFO(depth << " deep, " << outputs << " outputs, few are " << few_rows << ", gap " << gap);
  lora_case c{.depth = depth,
              .outputs = {outputs},
              .adapters = {plain(5)},
              .format = format,
              .few_rows = few_rows,
              .gap = gap};
  c.add_segment(0, 2, {{0, 1}});
  c.fill(depth);
  check_outputs(c, run_case(*d, c));
}

TEST_CASE("sixty-four adapters of mixed ranks, base rows and empty segments are in one step") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  const auto few_rows = 2u;
  lora_case c{.depth = 48, .outputs = {16, 9, 8}, .few_rows = few_rows};
  for (std::uint32_t i = 0; i < 64; ++i) {
    test_adapter adapter;
    if (i % 5 != 0) adapter.push_back({.first_part = 0, .rank = 1 + i * 2 % 40, .scaling = 0.25f});
    if (i % 3 != 0) adapter.push_back({.first_part = 1, .rank = 1 + i % 7, .scaling = 0.5f});
    if (i % 4 == 1) adapter.push_back({.first_part = 2, .rank = 16, .scaling = 2});
    c.adapters.push_back(adapter);
  }
  for (std::uint32_t i = 0; i < 64; ++i)
    c.add_segment(i % 3 == 0 ? 1 : 0, i % 11 == 4 ? 0 : 1 + i % 3, {{i * 29 % 64, 1}});
  c.rows += 2;
  c.fill(9);
  check_outputs(c, run_case(*d, c));
}

TEST_CASE("a fused module has one A for all of its parts") {
  auto d = open_test_device();
  if (!d) return;
  lora_case c{.depth = 40,
              .outputs = {24, 8, 11},
              .adapters = {{{.first_part = 0, .parts = 3, .rank = 6}},
                           {{.first_part = 0, .rank = 4}, {.first_part = 1, .parts = 2, .rank = 9}}}};
  c.add_segment(1, 2, {{0, 1}});
  c.add_segment(0, 3, {{1, 0.5f}});
  c.fill(1);
  check_outputs(c, run_case(*d, c));
}

TEST_CASE("sums of adapters are weighted, whatever modules they have") {
  auto d = open_test_device();
  if (!d) return;
  auto few_rows = GENERATE(0u, 8u);
  lora_case c{.depth = 1100,
              .outputs = {24, 300},
              .adapters = {{{.first_part = 0, .rank = 16}, {.first_part = 1, .rank = 70, .scaling = 0.125f}},
                           {{.first_part = 1, .rank = 3, .scaling = 2, .offset = true}},
                           {}},
              .few_rows = few_rows};
  c.add_segment(0, 2, {{0, 0.25f}, {1, -1.5f}, {2, 1}});
  c.add_segment(1, 1, {{2, 1}});
  c.add_segment(0, 1, {{1, 1}, {0, 1}, {1, 0.5f}});
  c.fill(2);
  check_outputs(c, run_case(*d, c));
}

TEST_CASE("merged adapters multiply summed A with summed B") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto few_rows = GENERATE(0u, 8u);
  lora_case c{.depth = 1100,
              .outputs = {24, 16},
              .adapters = {{{.first_part = 0, .rank = 16}, {.first_part = 1, .rank = 5}},
                           {{.first_part = 1, .rank = 5, .scaling = 3}},
                           {{.first_part = 0, .rank = 16, .scaling = 7}}},
              .few_rows = few_rows};
  c.add_segment(0, 3, {{0, 0.25f}, {1, -1.5f}, {2, 1}}, true, 0.5f);
  c.add_segment(0, 1, {{1, 1}}, true, 3);
  c.fill(3);
  check_outputs(c, run_case(*d, c));
}

TEST_CASE("gains change the base's product without its bias, offsets are added") {
  auto d = open_test_device();
  if (!d) return;
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  auto bias = GENERATE(true, false);
  lora_case c{.depth = 40,
              .outputs = {24, 11},
              .adapters = {{{.first_part = 0, .rank = 8, .gain = true, .offset = true},
                            {.first_part = 1, .rank = 3, .gain = true}},
                           {{.first_part = 1, .rank = 2, .offset = true}}},
              .format = format,
              .bias = bias};
  c.add_segment(0, 2, {{0, 1}});
  c.add_segment(1, 2, {{1, 0.5f}});
  c.fill(4);
  check_outputs(c, run_case(*d, c));
}

TEST_CASE("a row's bits depend neither on neighbours nor on how rows are shared out") {
  auto d = open_test_device();
  if (!d) return;
  lora_case alone{.depth = 3000, .outputs = {24, 40}};
  alone.adapters = {{{.first_part = 0, .rank = 20}, {.first_part = 1, .rank = 9}}, plain(70)};
  alone.add_segment(0, 1, {{0, 1}, {1, 0.5f}});
  alone.fill(5);
  const auto by_itself = put_case(*d, alone);
  must(gpu::lora_shrink(by_itself, d->stream));
  must(gpu::lora_expand(by_itself, d->stream));
  const auto bits = row_of(alone, get_outputs(*d, alone, by_itself), 0);
  const auto input_bits = inputs_of(*d, alone, by_itself, 0);
  auto few_rows = GENERATE(0u, 100u);
  auto spare = GENERATE(0.0, 0.4, 1.0);
  auto before = GENERATE(5u, 37u);
  INFO("few are " << few_rows << ", spare " << spare << ", " << before << " rows before");
  lora_case c{.depth = 3000, .outputs = {24, 40}, .few_rows = few_rows, .spare = spare};
  c.adapters = alone.adapters;
  c.add_segment(0, 2, {{1, 1}});
  c.add_segment(0, before + 2, {{0, 1}, {1, 0.5f}});
  c.fill(6);
  c.adapters = alone.adapters;
  const auto row = 2 + before;
  std::copy_n(alone.x.begin(), c.depth, c.x.begin() + static_cast<std::ptrdiff_t>(row * c.x_stride()));
  std::copy_n(alone.y.begin(), c.width(), c.y.begin() + static_cast<std::ptrdiff_t>(row * c.y_stride()));
  const auto a = put_case(*d, c);
  must(gpu::lora_shrink(a, d->stream));
  must(gpu::lora_expand(a, d->stream));
  CHECK(inputs_of(*d, c, a, row) == input_bits);
  CHECK(row_of(c, get_outputs(*d, c, a), row) == bits);
}

TEST_CASE("launches of any width compute the same step") {
  auto d = open_test_device();
  if (!d) return;
  lora_case c{.depth = 2100, .outputs = {24}, .few_rows = 8};
  c.adapters = {plain(40), plain(7)};
  for (std::uint32_t i = 0; i < 4; ++i)
    c.add_segment(1, 3 + i % 2 * 40, {{i % 2, 1}});
  c.fill(7);
  const auto expected = run_case(*d, c);
  check_outputs(c, expected);
  auto a = put_case(*d, c);
  a.grid = GENERATE(gpu::lora_grid{1, 1, 1}, gpu::lora_grid{40, 2, 16}, gpu::lora_grid{2, 9, 600});
  must(gpu::lora_shrink(a, d->stream));
  must(gpu::lora_expand(a, d->stream));
  CHECK(get_outputs(*d, c, a) == expected);
}

TEST_CASE("what is no number stays in its row, and gaps of X are not read") {
  auto d = open_test_device();
  if (!d) return;
  lora_case c{.depth = 37, .outputs = {8}, .adapters = {plain(4)}};
  c.add_segment(0, 3, {{0, 1}});
  c.fill(8);
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  for (std::uint32_t row = 0; row < 3; ++row)
    for (std::size_t k = c.depth; k < c.x_stride(); ++k)
      c.x[row * c.x_stride() + k] = nan;
  check_outputs(c, run_case(*d, c));
  auto broken = c;
  broken.x[c.x_stride() + 3] = nan;
  const auto y = run_case(*d, broken), clean = run_case(*d, c);
  CHECK(row_of(c, y, 0) == row_of(c, clean, 0));
  CHECK(row_of(c, y, 2) == row_of(c, clean, 2));
  for (auto value : row_of(c, y, 1))
    CHECK(std::isnan(value));
}

TEST_CASE("a step without adapters has no launch") {
  auto d = open_test_device();
  if (!d) return;
  lora_case c{.rows = 2};
  c.fill(1);
  check_outputs(c, run_case(*d, c));
}
