#pragma once

#include <string>
#include <string_view>

namespace lorica {

/// Somebody else's text for an error or a warning: at most 200 bytes, printable ASCII only.
inline std::string shown(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string out;
  for (char c : text.substr(0, longest))
    out += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > longest) out += "...";
  return out;
}

}  // namespace lorica
