#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace lorica {

/// An adapter as the operator lists it: the name that requests use, and the local directory.
struct named_source {
  std::string name;
  std::string path;
};

/// A name is `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, with at most one `org/` of the same form before it. It never
/// becomes a path. Fails with `errc::invalid`, reason `invalid_name`.
result<void> check_adapter_name(std::string_view name);

/// Reads `name=path[,name=path…]` (`--lora-adapters`); blanks around an entry are cut, an empty text is an
/// empty list. Every entry needs its name: one without `=` would name a repository on the Hub, which is not
/// loaded from here, and `@revision` belongs to those too. Fails with `errc::bad_config`.
result<std::vector<named_source>> parse_adapter_list(std::string_view text);

}  // namespace lorica
