#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "adapters/catalogue.hpp"
#include "adapters/residency.hpp"
#include "core/status_snapshot.hpp"

namespace lorica {

/// All names that are not unloaded, as the status shows them. `requests` counts by name.
std::vector<adapter_status> list_adapters(const catalogue& names, const residency& shelf,
                                          const std::map<std::string, std::uint64_t>& requests);

}  // namespace lorica
