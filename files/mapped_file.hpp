#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "core/error.hpp"

namespace lorica {

/// A regular file mapped read-only for as long as this object lives. Immutable and thread-safe. A file that
/// somebody truncates while it is mapped ends the process with SIGBUS: map only files the operator owns (base
/// models), read others with `read_file`.
class mapped_file {
 public:
  /// Maps the whole file. Fails with `errc::io`; the text names the file without its directory.
  static result<std::shared_ptr<const mapped_file>> open(const std::string& path);

  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  ~mapped_file();

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

  /// Gives the pages that were read back to the system, which keeps the file in its cache as it likes;
  /// reading takes them again.
  void release_pages() const noexcept;

 private:
  mapped_file(const std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

  const std::byte* data_;
  std::size_t size_;
};

}  // namespace lorica
