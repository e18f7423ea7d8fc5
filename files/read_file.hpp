#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// The last part of a path: what error texts may show.
std::string_view file_name(std::string_view path) noexcept;

/// An open regular file, close-on-exec, never a pipe or device. Owns its descriptor.
class open_file {
 public:
  /// Fails with `errc::io`; the text names the file without its directory.
  static result<open_file> open(const std::string& path);

  open_file(open_file&& other) noexcept;
  open_file& operator=(open_file&&) = delete;
  ~open_file();

  int descriptor() const noexcept { return descriptor_; }
  std::uint64_t size() const noexcept { return size_; }  ///< bytes, as of the opening

 private:
  open_file(int descriptor, std::uint64_t size) noexcept : descriptor_(descriptor), size_(size) {}

  int descriptor_;
  std::uint64_t size_;
};

/// Reads a whole regular file of at most `max_bytes`. Fails with `errc::io`, or `errc::malformed` when it is
/// longer.
result<std::string> read_file(const std::string& path, std::size_t max_bytes);

}  // namespace lorica
