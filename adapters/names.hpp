#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/adapter_name.hpp"
#include "core/error.hpp"

namespace lorica {

/// An adapter as the operator lists it: the name that requests use, and where its files are.
struct named_source {
  std::string name;
  std::string path;          ///< local directory, or a repository of the Hub as `org/name`
  std::string revision;      ///< of a repository; empty: not said
  bool only_on_hub = false;  ///< `path` is no local directory, whatever lies there
};

/// Reads `--lora-adapters`: `name=path`, `name=org/name[@revision]` or `org/name[@revision]` (whose name is
/// the id), separated by commas; blanks around an entry are cut, an empty text is an empty list. Looks at no
/// file. Fails with `errc::bad_config`.
result<std::vector<named_source>> parse_adapter_list(std::string_view text);

}  // namespace lorica
