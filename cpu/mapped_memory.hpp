#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"

namespace lorica {

/// Zero-filled pages of its own: freeing gives the bytes back to the system at once. Pages cost memory when
/// they are first written. Owned by one object; the bytes may be read by any thread.
class mapped_memory {
 public:
  mapped_memory() = default;
  mapped_memory(mapped_memory&& other) noexcept;
  mapped_memory& operator=(mapped_memory&& other) noexcept;
  ~mapped_memory();

  /// Maps `bytes` rounded up to whole pages. Fails with `errc::out_of_memory`; the text names `what`.
  static result<mapped_memory> allocate(std::uint64_t bytes, const char* what);

  /// Bytes that `allocate(bytes)` takes.
  static std::uint64_t rounded(std::uint64_t bytes) noexcept;

  std::byte* data() const noexcept { return data_; }
  std::uint64_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::uint64_t size_ = 0;
};

}  // namespace lorica
