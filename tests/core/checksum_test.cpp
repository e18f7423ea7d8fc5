#include "core/checksum.hpp"

#include <string_view>
#include <vector>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

std::uint64_t checksum_of(std::string_view text) {
  return checksum(std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace

TEST_CASE("a checksum is XXH3, which other programs know") {
  CHECK(checksum_of("") == 0x2d06800538d394c2);
  CHECK(checksum_of("a") == 0xe6c632b61e964e1f);
  CHECK(checksum_of("abc") == 0x78af5f94892f3950);
}

TEST_CASE("a checksum sees every byte") {
  std::vector<std::byte> bytes(1000);
  const auto before = checksum(bytes);
  for (auto& byte : bytes) {
    byte = std::byte{1};
    CHECK(checksum(bytes) != before);
    byte = std::byte{0};
  }
}
