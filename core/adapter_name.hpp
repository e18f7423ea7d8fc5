#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "core/error.hpp"
#include "core/shown.hpp"

namespace lorica {
namespace adapter_name {

inline constexpr std::size_t longest_part = 128;

// Own tests instead of <cctype>: a locale must not change what a name is.
constexpr bool letter_or_digit(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

constexpr bool good_part(std::string_view part) noexcept {
  if (part.empty() || part.size() > longest_part || !letter_or_digit(part.front())) return false;
  return std::all_of(part.begin(), part.end(),
                     [](char c) { return letter_or_digit(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace adapter_name

/// A name is `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, with at most one `org/` of the same form before it. It never
/// becomes a path. Fails with `errc::invalid`, reason `invalid_name`.
inline result<void> check_adapter_name(std::string_view name) {
  auto slash = name.find('/');
  bool good = slash == std::string_view::npos ? adapter_name::good_part(name)
                                              : adapter_name::good_part(name.substr(0, slash)) &&
                                                    adapter_name::good_part(name.substr(slash + 1));
  if (good) return {};
  return fail(
      errc::invalid,
      "adapter name '" + shown(name) +
          "' is not valid: letters, digits, '.', '_' and '-', at most 128, beginning with a letter or "
          "digit, with at most one 'org/' before",
      "invalid_name");
}

}  // namespace lorica
