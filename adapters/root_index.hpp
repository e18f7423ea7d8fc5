#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "adapters/adapter_roots.hpp"
#include "core/error.hpp"

namespace lorica {

/// Bounds of one look through the roots.
struct root_index_limits {
  std::size_t max_names = 100'000;    ///< that are kept
  std::size_t max_entries = 400'000;  ///< of directories, that are looked at
};

/// The adapters that lie beneath the roots under a name: `name` and `org/name`, directories that hold an
/// `adapter_config.json` or exactly one `.gguf` file and whose names are adapter names. So a name in a
/// request is only ever compared, never made into a path. A plain value: as of one scan; immutable, any
/// thread.
class root_index {
 public:
  /// Of no roots.
  root_index() = default;

  /// Of names that are known, each with the number of its root.
  explicit root_index(std::map<std::string, std::size_t, std::less<>> roots) : roots_(std::move(roots)) {}

  /// Looks through the roots, to a depth of two, in the order of the names. Where several roots have a name
  /// the first one counts. What cannot be opened (also links that leave the root) is passed over. Blocking;
  /// looks at `stop` for every entry and fails with `errc::cancelled` only.
  static result<root_index> scan(const adapter_roots& roots, const std::stop_token& stop,
                                 const root_index_limits& limits = {});

  /// Where an adapter of that name lies, for `adapter_roots::open_directory`.
  std::optional<rooted_path> find(std::string_view name) const;

  std::size_t size() const noexcept { return roots_.size(); }

  /// Sentences about what was left out; empty when everything was seen.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

 private:
  friend class root_scan;

  std::map<std::string, std::size_t, std::less<>> roots_;  ///< name -> root; its path there is the name
  std::vector<std::string> warnings_;
};

}  // namespace lorica
