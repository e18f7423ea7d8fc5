#pragma once

#include <map>
#include <optional>
#include <string>

#include "config/settings.hpp"

namespace lorica::testing {

/// An environment that holds exactly these variables.
inline environment_reader env(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const std::string& name) -> std::optional<std::string> {
    auto it = variables.find(name);
    if (it == variables.end()) return std::nullopt;
    return it->second;
  };
}

}  // namespace lorica::testing
