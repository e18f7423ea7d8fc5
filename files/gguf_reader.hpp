#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

namespace lorica {

/// Walks little-endian fields front to back. A read past the end gives nothing and moves nowhere. Owned by
/// one call.
class gguf_reader {
 public:
  explicit gguf_reader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  std::size_t position() const noexcept { return at_; }
  std::size_t remaining() const noexcept { return bytes_.size() - at_; }

  template <class T>
  std::optional<T> number() noexcept {
    static_assert(std::endian::native == std::endian::little);
    T out{};
    auto from = take(sizeof out);
    if (!from) return std::nullopt;
    std::memcpy(&out, from->data(), sizeof out);
    return out;
  }

  /// `count` bytes as they are.
  std::optional<std::span<const std::byte>> take(std::uint64_t count) noexcept {
    if (count > remaining()) return std::nullopt;
    auto out = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += out.size();
    return out;
  }

  /// A u64 length and that many bytes.
  std::optional<std::string_view> string() noexcept {
    auto length = number<std::uint64_t>();
    if (!length) return std::nullopt;
    auto text = take(*length);
    if (!text) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(text->data()), text->size());
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace lorica
