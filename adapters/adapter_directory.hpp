#pragma once

#include <sys/types.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/root_directory.hpp"
#include "core/error.hpp"

namespace lorica {

/// An open regular file of an adapter's directory. Owns its descriptor; several threads may read.
class adapter_file {
 public:
  adapter_file(adapter_file&& other) noexcept;
  adapter_file& operator=(adapter_file&&) = delete;
  ~adapter_file();

  std::uint64_t size() const noexcept { return size_; }  ///< bytes, as of the opening

  /// Copies `out.size()` bytes from `offset`. `errc::bad_adapter`, `source_changed` when the file is shorter
  /// than it was; `errc::io`, `unreadable_file` when the system fails.
  result<void> read(std::uint64_t offset, std::span<std::byte> out) const;

  /// Fails with `source_changed` when size or time of change are not those of the opening.
  result<void> check_unchanged() const;

 private:
  friend class adapter_directory;
  adapter_file(int descriptor, std::uint64_t size, timespec modified, std::string name) noexcept;

  int descriptor_;
  std::uint64_t size_;
  timespec modified_;
  std::string name_;
};

/// The directory of an adapter, held open so that both files come from the same one. Texts of errors name the
/// files, never the directory. One that was opened beneath a root (`adapter_roots`) opens its files beneath
/// that root too.
class adapter_directory {
 public:
  /// `errc::unknown_adapter`, `missing_file` when it is not there or no directory; `pickle_refused` when
  /// `path` itself is a pickle by its name; `unreadable_file` otherwise.
  static result<adapter_directory> open(const std::string& path);

  adapter_directory(adapter_directory&& other) noexcept;
  adapter_directory& operator=(adapter_directory&&) = delete;
  ~adapter_directory();

  /// Opens a file for reading without ever waiting: pipes, devices and directories are `unreadable_file`.
  /// Links are followed (download caches consist of them); beneath a root only as far as it reaches, what
  /// leads out is `path_not_allowed`.
  result<adapter_file> file(const std::string& name) const;

  /// Names of the entries that end so, in alphabetical order; few of them when there are very many.
  std::vector<std::string> names_ending(std::string_view ending) const;

  /// True when there is something of that name.
  bool holds(const std::string& name) const noexcept;

 private:
  friend class adapter_roots;
  explicit adapter_directory(int descriptor, std::shared_ptr<const root_directory> root = nullptr,
                             std::string path = {}) noexcept
      : descriptor_(descriptor), root_(std::move(root)), path_(std::move(path)) {}

  result<int> open_file(const std::string& name) const;

  int descriptor_;
  std::shared_ptr<const root_directory> root_;  ///< null: the operator gave the directory
  std::string path_;                            ///< beneath the root
};

/// True for the endings of files that execute code when they are read: `.bin`, `.pt`, `.pth`, `.pkl`.
bool is_pickle_name(std::string_view name) noexcept;

}  // namespace lorica
