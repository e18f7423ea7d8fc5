#include "net/reply_fields.hpp"

namespace lorica {

std::vector<http_field> served_fields(const served_by& served) {
  if (served.adapters.empty()) return {};
  std::string names, versions, tiers;
  for (auto& adapter : served.adapters) {
    auto comma = names.empty() ? "" : ",";
    names.append(comma).append(adapter.name);
    versions.append(comma).append(adapter.version.short_hex());
    tiers.append(comma).append(adapter.tier);
  }
  return {{"x-adapter-id", names}, {"x-adapter-version", versions}, {"x-adapter-tier", tiers}};
}

}  // namespace lorica
