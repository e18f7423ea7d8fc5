#include "net/reply_fields.hpp"

#include <charconv>

namespace lorica {

std::vector<http_field> served_fields(const served_by& served) {
  if (served.adapter.empty()) return {};
  std::vector<http_field> out{{"x-adapter-id", served.adapter}};
  if (served.version) out.push_back({"x-adapter-version", served.version->short_hex()});
  if (!served.tier.empty()) out.push_back({"x-adapter-tier", served.tier});
  return out;
}

double shortest(float number) {
  char digits[32];
  auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  double out = 0;
  std::from_chars(digits, end, out);
  return out;
}

}  // namespace lorica
