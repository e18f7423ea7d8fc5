#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace lorica {

/// The adapters that lie below the allowed roots: names, and where to open them. Names are only compared, no
/// path is made of one. Immutable, any thread.
class root_index {
 public:
  root_index() = default;
  explicit root_index(std::map<std::string, std::string, std::less<>> places) : places_(std::move(places)) {}

  /// The path below a root that `name` was found as; nothing when no root has it.
  std::optional<std::string> find(std::string_view name) const {
    auto found = places_.find(name);
    if (found == places_.end()) return std::nullopt;
    return found->second;
  }

  std::size_t size() const noexcept { return places_.size(); }

 private:
  std::map<std::string, std::string, std::less<>> places_;
};

}  // namespace lorica
