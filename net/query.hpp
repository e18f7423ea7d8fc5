#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace lorica {

/// Reads typed parameters of a query (`a=1&b=x%20y`). The first refusal is kept, later reads go on
/// harmlessly; each is `errc::invalid` and names the parameter.
class query_reader {
 public:
  /// `text` is what follows the `?`, not decoded. A broken escape, a parameter that is given twice, or one
  /// that is not among `known` is a refusal.
  query_reader(std::string_view text, std::initializer_list<std::string_view> known);

  std::optional<std::string> text(std::string_view name) const;

  /// `true` or `false`.
  std::optional<bool> boolean(std::string_view name);

  /// A decimal number from `least` to `most`.
  std::optional<std::uint32_t> number(std::string_view name, std::uint32_t least, std::uint32_t most);

  /// Refuses a parameter unless `fits`.
  void demand(bool fits, std::string_view name, std::string text);

  /// The first refusal.
  const std::optional<error>& refusal() const noexcept { return refusal_; }

 private:
  void add(std::string_view pair, std::initializer_list<std::string_view> known);

  std::vector<std::pair<std::string, std::string>> parameters_;
  std::optional<error> refusal_;
};

}  // namespace lorica
