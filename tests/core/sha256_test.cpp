#include "core/sha256.hpp"

#include "core/ids.hpp"
#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4, whole and in pieces") {
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  sha256 whole;
  whole.update("abc");
  CHECK(adapter_version{whole.finish()}.hex() == abc);
  sha256 pieces;
  pieces.update("a");
  pieces.update("bc");
  CHECK(adapter_version{pieces.finish()}.short_hex() == abc.substr(0, 12));
}
