#include "files/dequantise.hpp"

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/sha256.hpp"
#include "files/read_file.hpp"
#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"

using namespace lorica;

namespace {

std::string golden(const std::string& name) {
  auto text = read_file(std::string(LORICA_TEST_DATA) + "/golden/dequantise/" + name, 1 << 20);
  if (!text) FAIL(text.error().text);
  return *text;
}

// At an odd address, as tensors of old files are.
std::vector<float> expand(tensor_type type, const std::string& blocks) {
  const std::string shifted = "." + blocks;
  std::vector<float> out(blocks.size() / block_bytes(type) * block_elements(type));
  dequantise(type, bytes_of(shifted).subspan(1), out);
  return out;
}

}  // namespace

TEST_CASE("stored blocks expand to the bits that the gguf package gives") {
  auto type = static_cast<tensor_type>(GENERATE(range(std::size_t{0}, tensor_layouts.size())));
  const std::string name(to_string(type));
  INFO(name);
  const auto values = expand(type, golden(name + ".blocks"));
  const auto expected = golden(name + ".f32");
  REQUIRE(expected.size() == values.size() * sizeof(float));
  REQUIRE(values.size() == (block_elements(type) == 256 ? 24 * 256 : 2048));
  CHECK(std::memcmp(values.data(), expected.data(), expected.size()) == 0);
}

TEST_CASE("scales that are no numbers or infinite go through every block type, whatever its bits are") {
  auto type = static_cast<tensor_type>(GENERATE(range(std::size_t{3}, tensor_layouts.size())));
  const std::uint16_t scale = GENERATE(std::uint16_t{0x7c00}, std::uint16_t{0xfc00}, std::uint16_t{0x7e00},
                                       std::uint16_t{0xfc01}, std::uint16_t{0xffff});
  const char fill = GENERATE('\0', '\x11', '\xff');
  INFO(to_string(type) << ", scale " << scale << ", bytes " << static_cast<int>(fill));
  std::string block(block_bytes(type), fill);
  const std::size_t at = type == tensor_type::q6_k ? 208 : 0;
  block.replace(at, 2, raw(scale));
  // Zero times infinity is no number, so nothing finite can come out.
  for (auto value : expand(type, block))
    CHECK_FALSE(std::isfinite(value));
}

TEST_CASE("in a Q4_0 block the low nibbles come first") {
  auto values = expand(tensor_type::q4_0, std::string("\x00\x38\x9f", 3) + std::string(15, '\x88'));
  CHECK(values[0] == 3.5f);
  CHECK(values[16] == 0.5f);
  CHECK(values[1] == 0.0f);
  CHECK(values[31] == 0.0f);
}

TEST_CASE("every finite half becomes the float that numpy makes of it") {
  sha256 digest;
  for (std::uint32_t bits = 0; bits < 65'536; ++bits) {
    if ((bits & 0x7c00) == 0x7c00) continue;
    const float wide = half_to_float(static_cast<std::uint16_t>(bits));
    digest.update(raw(wide));
  }
  CHECK(hex_of(digest.finish()) + "\n" == golden("f16.sha256"));
}

TEST_CASE("infinite halves stay infinite and no number stays none") {
  CHECK(half_to_float(0x7c00) == INFINITY);
  CHECK(half_to_float(0xfc00) == -INFINITY);
  CHECK(std::isnan(half_to_float(0x7e00)));
  CHECK(std::isnan(half_to_float(0xfc01)));
  CHECK(bfloat_to_float(0x3fc0) == 1.5f);
}
