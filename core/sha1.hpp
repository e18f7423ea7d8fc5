#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace lorica {

/// Incremental SHA-1 (FIPS 180-4). Only to compare with names that git gave to files: it shows damage, and
/// nothing that must withstand intent may hang on it.
class sha1 {
 public:
  sha1();
  ~sha1();
  sha1(const sha1&) = delete;
  sha1& operator=(const sha1&) = delete;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);

  /// The digest of everything so far; the object is spent afterwards.
  std::array<std::uint8_t, 20> finish();

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace lorica
