#pragma once

#include <array>
#include <cstdint>

namespace lorica {

/// Philox4x32-10: four random words as a pure function of a counter and a key (Salmon, Moraes, Dror, Shaw:
/// "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3). Same words on every machine.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) noexcept {
  auto& c = counter;
  for (int round = 0; round < 10; ++round) {
    auto a = std::uint64_t{0xD2511F53u} * c[0];
    auto b = std::uint64_t{0xCD9E8D57u} * c[2];
    c = {static_cast<std::uint32_t>(b >> 32) ^ c[1] ^ key[0], static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ c[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// A uniform number in [0, 1) with 53 random bits: the draw of one choice for one position. Independent of
/// everything else, so a recomputed sequence draws the same numbers again.
constexpr double uniform_draw(std::uint64_t seed, std::uint32_t choice, std::uint32_t position) noexcept {
  auto words = philox4x32({position, choice, 0, 0},
                          {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  auto bits = (std::uint64_t{words[0]} << 21) | (words[1] >> 11);
  return static_cast<double>(bits) * 0x1p-53;
}

}  // namespace lorica
