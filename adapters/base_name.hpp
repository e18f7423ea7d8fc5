#pragma once

#include <string_view>

namespace lorica {

/// False when two names of a base model clearly mean different ones: both have words, but no word in common,
/// or different sizes (`135M`, `7b`). Words are runs of letters and digits after the last slash, without
/// case. Names differ by tool and by converter, so this is good enough for a warning and for nothing else.
bool may_be_same_base(std::string_view one, std::string_view other);

}  // namespace lorica
