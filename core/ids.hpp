#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>

namespace lorica {

/// Index into the vocabulary; negative values never come from a tokenizer.
using token_id = std::int32_t;

/// Stands for a token where the rules of a request leave none that may come.
inline constexpr token_id no_token = -2;

/// One running generation (one choice of a request), unique in the life of the process.
using sequence_id = std::uint64_t;

/// SHA-256 over an adapter's tensors and the parts of its config that matter: what an adapter *is*.
/// Names are aliases of it and never enter a cache key.
struct adapter_version {
  std::array<std::uint8_t, 32> digest{};

  auto operator<=>(const adapter_version&) const = default;

  /// All 64 hex digits.
  std::string hex() const {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    out.reserve(64);
    for (auto byte : digest) {
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
    return out;
  }

  /// First 12 hex digits, as shown in `x-adapter-version`.
  std::string short_hex() const { return hex().substr(0, 12); }
};

/// Hash of a version: its own leading bytes are already uniform.
struct adapter_version_hash {
  std::size_t operator()(const adapter_version& v) const noexcept {
    std::size_t out = 0;
    std::memcpy(&out, v.digest.data(), sizeof out);
    return out;
  }
};

}  // namespace lorica
