#pragma once

#include <string>

#include "adapters/names.hpp"
#include "core/error.hpp"
#include "files/hub_cache.hpp"

namespace lorica {

/// The directory of a listed adapter: the local one when there is one of that path, else what the Hugging
/// Face cache has of the repository (at `main` when no revision is said). A path that is neither comes back
/// as it is: `read_adapter` says what is wrong with it. Fails with `errc::unknown_adapter`, reason
/// `hub_not_found`, or `errc::bad_adapter`, reason `path_not_allowed`.
result<std::string> source_directory(const named_source& source, const hub_cache& cache);

}  // namespace lorica
