#include "gpu/attention.hpp"

#include "tests/gpu/attention_world.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Head sizes of every kernel, odd ones too; groups of one head, of some, of more than a tensor-core product
/// has rows.
std::vector<attention_kind> kinds() {
  return {{1, 1, 8, 16},   {4, 2, 32, 16}, {6, 2, 40, 48},  {7, 1, 64, 16},  {2, 1, 80, 32}, {3, 3, 15, 16},
          {20, 1, 24, 16}, {4, 1, 96, 16}, {4, 2, 128, 64}, {2, 1, 256, 16}, {2, 2, 176, 32}};
}

std::vector<attention_kind> seeing(attention_kind k) {
  auto narrow = k, capped = k, both = k;
  narrow.window = 37;
  capped.softcap = 3;
  both.window = 70;
  both.softcap = 1.5f;
  return {k, narrow, capped, both};
}

void check_rows(const attention_world& w, const std::vector<gpu::bfloat>& y) {
  std::vector<double> off;
  for (std::uint32_t row = 0; row < w.rows(); ++row) {
    const auto* of_row = &y[row * w.args.y_stride];
    for (std::uint32_t head = 0; head < w.kind.heads; ++head) {
      const auto expected = w.expected(row, head);
      for (std::uint32_t d = 0; d < w.kind.dim; ++d) {
        const auto got = static_cast<double>(gpu::to_float(of_row[head * w.kind.dim + d]));
        INFO("row " << row << " head " << head << " dimension " << d);
        if (!(std::abs(got - expected[d]) < attention_tolerance(std::abs(expected[d]))))
          FAIL(got << " for " << expected[d]);
      }
    }
    for (auto i = w.kind.heads * w.kind.dim; i < w.args.y_stride; ++i)
      if (of_row[i].bits != 0xffff) FAIL("row " << row << " wrote behind its end");
  }
}

#define DESCRIBE(k)                                                                              \
  INFO((k).heads << " heads, " << (k).kv_heads << " of keys, " << (k).dim << " wide, blocks of " \
                 << (k).block_tokens << ", window " << (k).window << ", softcap " << (k).softcap)

}  // namespace

TEST_CASE("single rows attend to what they see") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  for (auto& k : kinds()) {
    DESCRIBE(k);
    attention_world w(*d, k, {{0, 1}, {14, 1}, {63, 1}, {64, 1}, {255, 1}, {256, 1}, {300, 1}});
    check_rows(w, w.decode(1));
  }
}

TEST_CASE("single rows attend with windows and capped scores, in parts") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  for (auto& k : seeing({6, 2, 40, 16})) {
    DESCRIBE(k);
    attention_world w(*d, k, {{0, 1}, {36, 1}, {37, 1}, {130, 1}, {290, 1}, {700, 1}});
    check_rows(w, w.decode(1));
    check_rows(w, w.decode(3));
  }
}

TEST_CASE("a single row's bits do not depend on the number of parts nor on its neighbours") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  for (auto k : {attention_kind{2, 1, 64, 16}, {2, 2, 176, 16}, {2, 1, 32, 16, 300}}) {
    DESCRIBE(k);
    attention_world w(*d, k, {{1100, 1}, {20, 1}, {511, 1}, {512, 1}});
    const auto whole = w.decode(1);
    check_rows(w, whole);
    for (std::uint32_t parts = 2; parts <= 7; ++parts) {
      INFO(parts << " parts");
      CHECK(same_bits(w.decode(parts), whole));
    }
    CHECK(same_bits(w.decode(2, {2, 0, 3, 1}), whole));
    const auto alone = w.decode(3, {2});
    const auto row = [&](const std::vector<gpu::bfloat>& y, std::size_t i) {
      return std::vector<gpu::bfloat>(y.begin() + static_cast<std::ptrdiff_t>(i * w.args.y_stride),
                                      y.begin() + static_cast<std::ptrdiff_t>((i + 1) * w.args.y_stride));
    };
    CHECK(same_bits(row(alone, 2), row(whole, 2)));
    CHECK(row(alone, 1)[0].bits == 0xffff);
  }
}

TEST_CASE("tiles of rows attend to what they see, with the bits of single rows") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  for (auto& k : kinds()) {
    DESCRIBE(k);
    attention_world w(*d, k, {{0, 3}, {61, 6}, {250, 9}});
    const auto y = w.prefill(gpu::tile_rows);
    check_rows(w, y);
    CHECK(same_bits(y, w.decode(1)));
  }
}

TEST_CASE("tiles of rows attend with windows and capped scores") {
  auto d = open_test_device();
  if (!d) return;
  for (auto& k : seeing({4, 2, 40, 16})) {
    DESCRIBE(k);
    attention_world w(*d, k, {{0, 70}, {200, 64}, {520, 5}});
    const auto y = w.prefill(gpu::tile_rows);
    check_rows(w, y);
    CHECK(same_bits(y, w.decode(2)));
  }
}

TEST_CASE("a row's bits do not depend on how a prompt is cut into tiles") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  attention_world w(*d, {4, 1, 64, 32}, {{0, 130}, {250, 20}});
  const auto y = w.prefill(gpu::tile_rows);
  for (auto tile : {1u, 7u, 16u, 33u}) {
    INFO("tiles of " << tile);
    CHECK(same_bits(w.prefill(tile), y));
  }
}

TEST_CASE("wide heads attend in less shared memory with the same bits") {
  auto d = open_test_device();
  if (!d) return;
  attention_world w(*d, {2, 1, 256, 16}, {{250, 40}});
  const auto y = w.prefill(gpu::tile_rows);
  CHECK(same_bits(w.prefill(gpu::tile_rows, 99u << 10), y));
}

TEST_CASE("what a row does not see has no part in it, number or not") {
  auto d = open_test_device();
  if (!d) return;
  attention_kind k{2, 1, 32, 16};
  k.window = 20;
  attention_world w(*d, k, {{300, 5}});
  const auto one = w.decode(2), many = w.prefill(gpu::tile_rows);
  for (std::uint32_t token : {0u, 255u, 279u, 280u})  // row 300 sees 281 and on
    w.spoil(0, token, std::numeric_limits<float>::quiet_NaN());
  CHECK(same_bits(w.decode(2), one));
  CHECK(same_bits(w.prefill(gpu::tile_rows), many));
  w.spoil(0, 281, std::numeric_limits<float>::quiet_NaN());
  const auto spoilt = w.decode(2);
  CHECK(std::isnan(gpu::to_float(spoilt[0])));
  CHECK(!std::isnan(gpu::to_float(spoilt[w.args.y_stride])));
}

TEST_CASE("no rows and no tiles are nothing to attend to, and too wide a head is an error") {
  auto d = open_test_device();
  if (!d) return;
  attention_world w(*d, {2, 1, 32, 16}, {{3, 1}});
  gpu::decode_rows none;
  must(gpu::attend_decode(w.args, none, d->stream));
  none.parts = 2;
  must(gpu::attend_decode(w.args, none, d->stream));
  must(gpu::attend_prefill(w.args, nullptr, 0, d->device.properties(), d->stream));
  w.args.kv.padded_dim = 272;
  none.count = 1;
  CHECK(gpu::attend_decode(w.args, none, d->stream).error().code == errc::internal);
}

TEST_CASE("parts fill the device and never outnumber the spans") {
  CHECK(gpu::attention_parts(1, 8, 100, 132) == 1);
  CHECK(gpu::attention_parts(1, 8, 257, 132) == 2);
  CHECK(gpu::attention_parts(1, 8, 100000, 132) == 33);
  CHECK(gpu::attention_parts(4, 8, 100000, 132) == 9);
  CHECK(gpu::attention_parts(64, 8, 100000, 132) == 1);
  CHECK(gpu::attention_parts(0, 8, 0, 132) == 1);
  CHECK(gpu::attention_partial_floats(2, 3, 64, 257) == 2 * 3 * 2 * 66);
}
