#pragma once

#include <string>

namespace lorica {

/// What the environment says about caches; empty: nothing.
struct cache_places {
  std::string xdg_cache_home;  ///< `XDG_CACHE_HOME`
  std::string home;            ///< `HOME`
};

/// Those of this process.
cache_places cache_places_here();

/// The directory of packed weights: `chosen`, else `$XDG_CACHE_HOME/lorica/packed`, else
/// `$HOME/.cache/lorica/packed`. Empty, so none, for `off` and where nothing says where. A relative path in
/// the environment does not count, as the XDG Base Directory Specification has it.
std::string packed_place(const std::string& chosen, const cache_places& environment);

}  // namespace lorica
