#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/adapter_directory.hpp"
#include "adapters/root_directory.hpp"
#include "core/error.hpp"

namespace lorica {

/// A directory beneath one of the roots.
struct rooted_path {
  std::size_t root = 0;  ///< which root, in the order they were given
  std::string path;      ///< relative to it

  bool operator==(const rooted_path&) const = default;
};

/// The directories that callers of a load may read adapters from (`--adapter-root`). Whatever a caller
/// writes, only what lies beneath one of them is opened. Immutable once open; any thread.
class adapter_roots {
 public:
  /// Bound of the number of roots.
  static constexpr std::size_t most_roots = 64;

  /// No roots: every path is refused.
  adapter_roots() = default;

  /// Opens and holds every root. Fails with `errc::bad_config`; the text shows the root as it was given.
  static result<adapter_roots> open(const std::vector<std::string>& roots,
                                    path_resolution how = path_resolution::kernel);

  bool empty() const noexcept { return roots_.empty(); }
  const std::vector<std::shared_ptr<const root_directory>>& roots() const noexcept { return roots_; }

  /// The directory of an adapter that `path` names: relative to a root (the first that has it), or absolute
  /// when it lies beneath one, written as that root was given or without links. Links are followed as long as
  /// they are relative and stay beneath the root; the same holds for the directory's files. Blocking.
  ///
  /// Fails with
  /// - `errc::bad_adapter`, reason `path_not_allowed`: not beneath a root, or written with `.`, `..`, an
  /// empty
  ///   part (also a slash at the end), a part above 255 bytes or a zero byte; `pickle_refused` when a file is
  ///   named that is a pickle; `unreadable_file` when it may not be read;
  /// - `errc::unknown_adapter`, reason `missing_file`: not there, or no directory.
  /// Texts show the path as the caller wrote it.
  result<adapter_directory> open_directory(std::string_view path) const;

  /// The same beneath one root.
  result<adapter_directory> open_directory(const rooted_path& path) const;

 private:
  result<adapter_directory> open_first(const std::vector<rooted_path>& places,
                                       std::string_view written) const;

  std::vector<std::shared_ptr<const root_directory>> roots_;
};

}  // namespace lorica
