#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/sha256.hpp"

namespace lorica {

/// SHA-256 over a list of fields, so that no two lists look alike: numbers are 64 bits, little endian, texts
/// carry their length in front.
class field_hash {
 public:
  void number(std::uint64_t n) {
    std::array<std::byte, 8> bytes{};
    for (auto& byte : bytes) {
      byte = static_cast<std::byte>(n & 0xff);
      n >>= 8;
    }
    hash_.update(bytes);
  }
  void real(double n) { number(std::bit_cast<std::uint64_t>(n)); }
  void text(std::string_view t) {
    number(std::uint64_t{t.size()});
    hash_.update(t);
  }

  /// Bytes whose number the fields before tell.
  void raw(std::span<const std::byte> bytes) { hash_.update(bytes); }
  void raw(std::string_view bytes) { hash_.update(bytes); }

  std::array<std::uint8_t, 32> finish() { return hash_.finish(); }

 private:
  sha256 hash_;
};

}  // namespace lorica
