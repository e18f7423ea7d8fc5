#include "adapters/refusal.hpp"

namespace lorica {

std::string shown(std::string_view text) {
  constexpr std::size_t longest = 200;
  std::string out;
  for (char c : text.substr(0, longest))
    out += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > longest) out += "...";
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  out += shown(text);
  return out += '"';
}

}  // namespace lorica
