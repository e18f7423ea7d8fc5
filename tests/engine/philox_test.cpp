#include "engine/philox.hpp"

#include "tests/catch.hpp"

using namespace lorica;

namespace {
using words = std::array<std::uint32_t, 4>;
}

// The known answers that the authors publish with their library Random123 (kat_vectors, "philox4x32 10").
TEST_CASE("Philox4x32-10 gives the published words") {
  CHECK(philox4x32({0, 0, 0, 0}, {0, 0}) == words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}) ==
        words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a draw is 53 leading bits of the words, in [0, 1)") {
  // 0x6627e8d5 and the upper 21 bits of 0xe169c58d.
  CHECK(uniform_draw(0, 0, 0) ==
        static_cast<double>((0x6627e8d5ull << 21) | (0xe169c58dull >> 11)) / 9007199254740992.0);
  double sum = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    auto u = uniform_draw(7, 1, i);
    REQUIRE((u >= 0 && u < 1));
    sum += u;
  }
  CHECK(sum / 100'000 == Approx(0.5).margin(0.004));  // four standard errors
}

TEST_CASE("seed, choice and position each change the draw") {
  auto u = uniform_draw(1ull << 40, 2, 3);
  CHECK(u != uniform_draw(2ull << 40, 2, 3));
  CHECK(u != uniform_draw(1ull << 40, 3, 3));
  CHECK(u != uniform_draw(1ull << 40, 2, 4));
  CHECK(u == uniform_draw(1ull << 40, 2, 3));
}
