#include "tests/gpu/lane_kernels.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("a block sums what its threads have, and lanes find their largest") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto threads = GENERATE(32u, 96u, 1024u);
  auto count = GENERATE(1u, 31u, 1000u);
  INFO(threads << " threads, " << count << " numbers");
  constexpr unsigned blocks = 3;
  auto x = exact_numbers(count * blocks, 1);
  auto* out = d->room<float>(blocks);
  auto* largest = d->room<float>(blocks);
  must(sum_blocks(d->put(x), count, blocks, threads, out, largest, d->stream));
  auto sums = d->get(out, blocks);
  for (unsigned block = 0; block < blocks; ++block) {
    double expected = 0;
    for (unsigned i = 0; i < count; ++i)
      expected += static_cast<double>(x[block * count + i]);
    CHECK(std::abs(static_cast<double>(sums[block]) - expected) < float_tolerance(count));
  }
  if (count != 31) return;
  auto peaks = d->get(largest, blocks);
  for (unsigned block = 0; block < blocks; ++block)
    CHECK(peaks[block] == *std::max_element(x.begin() + block * count, x.begin() + block * count + 8));
}

TEST_CASE("a tile of the tensor cores is a matrix product, by hand and by matrices from shared memory") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto how = GENERATE(&multiply_tile, &multiply_tile_by_matrices);
  auto a = exact_numbers(16 * 16, 2), b = exact_numbers(16 * 8, 3);
  auto* out = d->room<float>(16 * 8);
  must(how(d->put(as_bfloat(a)), d->put(as_bfloat(b)), out, d->stream));
  auto y = d->get(out, 16 * 8);
  for (std::size_t row = 0; row < 16; ++row)
    for (std::size_t column = 0; column < 8; ++column) {
      double expected = 0;
      for (std::size_t k = 0; k < 16; ++k)
        expected += static_cast<double>(a[row * 16 + k]) * static_cast<double>(b[k * 8 + column]);
      INFO(row << ' ' << column);
      CHECK(std::abs(static_cast<double>(y[row * 8 + column]) - expected) < float_tolerance(16));
    }
}

TEST_CASE("shared memory above what a kernel has unasked is had by asking") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto count = GENERATE(5u, 130u, 20000u);
  auto x = exact_numbers(count, 4);
  auto* out = d->room<float>(count);
  must(mirror(d->put(x), count, out, d->stream));
  auto y = d->get(out, count);
  std::reverse(x.begin(), x.end());
  CHECK(x == y);
}

TEST_CASE("an asynchronous copy stops where it is told and gives zeros behind") {
  auto d = open_test_device();
  if (!d) return;
  auto x = exact_numbers(32, 5);
  auto* out = d->room<float>(32);
  must(copy_some(d->put(x), out, d->stream));
  std::fill(x.begin() + 11, x.end(), 0.0f);
  CHECK(d->get(out, 32) == x);
}

TEST_CASE("bfloat16 is rounded to nearest, ties to even, and keeps what is no number") {
  using gpu::to_bfloat, gpu::to_float;
  CHECK(to_bfloat(1.0f).bits == 0x3f80);
  CHECK(to_bfloat(1.00390625f).bits == 0x3f80);
  CHECK(to_bfloat(1.01171875f).bits == 0x3f82);
  CHECK(to_bfloat(-2.5f).bits == 0xc020);
  CHECK(std::isnan(to_float(to_bfloat(std::numeric_limits<float>::quiet_NaN()))));
  std::uint32_t all = 0x7fffffff;
  float quiet;
  std::memcpy(&quiet, &all, sizeof quiet);
  CHECK(std::isnan(to_float(to_bfloat(quiet))));
  CHECK(to_float(to_bfloat(3.4e38f)) == std::numeric_limits<float>::infinity());
  CHECK(gpu::first_of(gpu::to_pair(1.5f, -2.0f)) == 1.5f);
  CHECK(gpu::second_of(gpu::to_pair(1.5f, -2.0f)) == -2.0f);
}
