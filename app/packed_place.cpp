#include "app/packed_place.hpp"

#include <cstdlib>

namespace lorica {
namespace {

std::string variable(const char* name) {
  const char* text = std::getenv(name);
  return std::string(text ? text : "");
}

}  // namespace

cache_places cache_places_here() {
  return {variable("XDG_CACHE_HOME"), variable("HOME")};
}

std::string packed_place(const std::string& chosen, const cache_places& environment) {
  if (chosen == "off") return {};
  if (!chosen.empty()) return chosen;
  if (environment.xdg_cache_home.starts_with('/')) return environment.xdg_cache_home + "/lorica/packed";
  if (environment.home.starts_with('/')) return environment.home + "/.cache/lorica/packed";
  return {};
}

}  // namespace lorica
