#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace lorica {

/// Incremental SHA-256 (FIPS 180-4).
class sha256 {
 public:
  sha256();
  ~sha256();
  sha256(const sha256&) = delete;
  sha256& operator=(const sha256&) = delete;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);

  /// The digest of everything since the beginning or the last call; the next update begins anew.
  std::array<std::uint8_t, 32> finish();

 private:
  void begin();

  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace lorica
