#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// `text` with whole numbers that need more than 64 bits written as fractions (`1e30` in digits gets `.0`),
/// so that a reader of 64 bits takes them as doubles. Strings are left as they are. `errc::malformed` for a
/// number beyond double precision; its param is the member it belongs to, where there is one.
result<std::string> with_wide_integers(std::string_view text);

}  // namespace lorica
