#pragma once

#include <cstddef>
#include <cstdint>

#include "core/error.hpp"

namespace lorica {

/// How memory is divided. Small pages are for what is touched here and there: a large one costs all of its
/// 2 MiB when a byte of it is written.
enum class page_kind : std::uint8_t { large, small };

/// Zero-filled pages of its own: freeing gives the bytes back to the system at once. Pages cost memory when
/// they are first written. Owned by one object; the bytes may be read by any thread.
class mapped_memory {
 public:
  mapped_memory() = default;
  mapped_memory(mapped_memory&& other) noexcept;
  mapped_memory& operator=(mapped_memory&& other) noexcept;
  ~mapped_memory();

  /// Maps `bytes` rounded up to whole pages. Fails with `errc::out_of_memory`; the text names `what`.
  static result<mapped_memory> allocate(std::uint64_t bytes, const char* what,
                                        page_kind pages = page_kind::large);

  /// Bytes that `allocate(bytes)` takes.
  static std::uint64_t rounded(std::uint64_t bytes) noexcept;

  /// Gives the pages back that lie wholly in bytes [begin, end), which are zero when they are next read. Of
  /// memory in large pages only whole ones go. Nobody reads or writes these bytes meanwhile.
  void give_back(std::uint64_t begin, std::uint64_t end) noexcept;

  std::byte* data() const noexcept { return data_; }
  std::uint64_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::uint64_t size_ = 0;
  bool large_ = false;
};

}  // namespace lorica
