#include "core/sha1.hpp"

#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("SHA-1 gives the digest of FIPS 180-4, whole and in pieces") {
  const std::array<std::uint8_t, 20> abc = {0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e,
                                            0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d};
  sha1 whole;
  whole.update("abc");
  CHECK(whole.finish() == abc);
  sha1 pieces;
  pieces.update("a");
  pieces.update("bc");
  CHECK(pieces.finish() == abc);
}
