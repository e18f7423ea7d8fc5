#include "adapters/refusal.hpp"

namespace lorica {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  out += shown(text);
  return out += '"';
}

}  // namespace lorica
