#include "gpu/e4m3.hpp"

#include "files/read_file.hpp"
#include "gpu/row_codes.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;
using gpu::e4m3;

namespace {

template <class T>
std::vector<T> golden(const std::string& name) {
  const auto bytes = must(read_file(LORICA_TEST_DATA "/golden/e4m3/" + name, 1 << 16));
  std::vector<T> out(bytes.size() / sizeof(T));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
  return out;
}

}  // namespace

TEST_CASE("all 256 codes of e4m3 stand for what torch says") {
  const auto expected = golden<float>("codes.f32");
  REQUIRE(expected.size() == 256);
  for (unsigned code = 0; code < 256; ++code) {
    INFO("code " << code);
    const float x = gpu::to_float(e4m3{static_cast<std::uint8_t>(code)});
    if (std::isnan(expected[code])) {
      CHECK(std::isnan(x));
      continue;
    }
    CHECK(std::memcmp(&x, &expected[code], sizeof x) == 0);
    CHECK(gpu::to_e4m3(x).bits == code);
  }
}

TEST_CASE("numbers become the nearest e4m3 as in torch, ties to even, large ones the largest") {
  const auto numbers = golden<float>("numbers.f32");
  const auto expected = golden<std::uint8_t>("numbers.codes");
  REQUIRE(numbers.size() == expected.size());
  REQUIRE(numbers.size() > 1500);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    INFO(numbers[i]);
    CHECK(static_cast<int>(gpu::to_e4m3(numbers[i]).bits) == static_cast<int>(expected[i]));
  }
  CHECK(gpu::to_e4m3(-std::numeric_limits<float>::quiet_NaN()).bits == 0x7f);
}

TEST_CASE("the device rounds every bfloat16 that needs no scale as the host does") {
  auto d = open_test_device();
  if (!d) return;
  constexpr std::uint32_t width = 256;
  std::vector<bfloat> x;
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    if (x.size() % width == 0) x.push_back(gpu::to_bfloat(gpu::largest_e4m3));  // the row's scale becomes 1
    const bfloat one{static_cast<std::uint16_t>(bits)};
    if (!(std::abs(gpu::to_float(one)) > gpu::largest_e4m3)) x.push_back(one);
  }
  x.resize((x.size() + width - 1) / width * width, gpu::to_bfloat(gpu::largest_e4m3));
  gpu::row_codes_args a;
  a.x = d->put(x);
  a.x_stride = a.codes_stride = a.width = width;
  a.rows = static_cast<std::uint32_t>(x.size() / width);
  a.codes = d->room<e4m3>(x.size());
  a.scales = d->room<float>(a.rows);
  must(gpu::code_rows(a, d->stream));
  for (auto scale : d->get(a.scales, a.rows))
    REQUIRE(scale == 1);
  const auto codes = d->get(a.codes, x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float number = gpu::to_float(x[i]);
    if (codes[i].bits != gpu::round_to_e4m3(std::bit_cast<std::uint32_t>(number)))
      FAIL(number << " became " << static_cast<int>(codes[i].bits));
  }
}
