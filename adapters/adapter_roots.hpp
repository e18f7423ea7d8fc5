#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/adapter_directory.hpp"
#include "adapters/root_index.hpp"
#include "core/error.hpp"

namespace lorica {

/// The directories below which adapters may be loaded by whoever may load. Every open goes through the root's
/// descriptor and cannot leave it: neither by `..` nor by links (relative links that stay inside work).
/// Immutable; any thread.
class adapter_roots {
 public:
  adapter_roots() = default;

  /// Opens the roots. `errc::bad_config` names the one that is no directory or may not be read.
  static result<adapter_roots> open(const std::vector<std::string>& roots);

  bool empty() const noexcept { return roots_.empty(); }

  /// The directory that `path` names: relative to the roots, tried in order, or absolute below one of them.
  /// Fails with `errc::unknown_adapter`, reason `missing_file`, or `errc::bad_adapter`, reason
  /// `path_not_allowed`.
  result<adapter_directory> open_directory(std::string_view path) const;

  /// Lists what lies in the roots, to a depth of two: directories `name` and `org/name` with an
  /// `adapter_config.json` and a name of the grammar. Earlier roots win. At most 100,000 directory entries
  /// are looked at.
  result<root_index> scan(std::stop_token stop = {}) const;

 private:
  struct root;
  std::vector<std::shared_ptr<const root>> roots_;
};

}  // namespace lorica
