#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/error.hpp"

namespace lorica {

/// Who sees to it that a path stays beneath a root.
enum class path_resolution : std::uint8_t {
  kernel,  ///< openat2 (Linux 5.6): links are followed as long as they stay beneath the root
  walk,    ///< part after part, following no link: where openat2 is missing
};

/// A directory that is held open and beneath which files are opened, never outside of it, whatever links lie
/// there and whoever moves them meanwhile. Immutable; any thread; shared by what was opened beneath it.
class root_directory {
 public:
  /// `kernel` becomes `walk` where the kernel has no openat2. Fails with `errc::bad_config`; the text shows
  /// `path` as it was given.
  static result<std::shared_ptr<const root_directory>> open(const std::string& path,
                                                            path_resolution how = path_resolution::kernel);

  root_directory(const root_directory&) = delete;
  root_directory& operator=(const root_directory&) = delete;
  ~root_directory();

  /// Opens `path`, relative, for reading with `flags` added (O_DIRECTORY and such); beneath `from`, a
  /// directory of this root, or beneath the root itself. Gives a descriptor that the caller closes, or a
  /// negative errno: EXDEV when a link leads out, is absolute, or is not followed (`walk`), or when `path` is
  /// absolute or holds `..` or an empty part; ELOOP for loops and links of /proc; EAGAIN when directories
  /// were moved all the time.
  int open_beneath(const std::string& path, int flags) const noexcept;
  int open_beneath(int from, const std::string& path, int flags) const noexcept;

  const std::string& canonical() const noexcept { return canonical_; }  ///< without links; "" for "/"
  const std::string& given() const noexcept { return given_; }          ///< without slashes at its end

 private:
  root_directory(int descriptor, path_resolution how, std::string given) noexcept;

  int descriptor_;
  path_resolution how_;
  std::string given_;
  std::string canonical_;
};

}  // namespace lorica
