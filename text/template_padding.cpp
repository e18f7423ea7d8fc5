#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "text/template_format.hpp"

namespace lorica::jinja {

std::string whole_digits(integer i, unsigned base, bool capitals) {
  std::string_view digits = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
  if (i == 0) return "0";
  std::string out;
  for (; i != 0; i /= base) {
    auto digit = static_cast<int>(i % base);
    out += digits[static_cast<std::size_t>(digit < 0 ? -digit : digit)];
  }
  std::reverse(out.begin(), out.end());
  return out;
}

std::string real_digits(double d, char conversion, int precision, bool alternative) {
  if (std::isnan(d) || std::isinf(d)) {
    bool capitals = conversion >= 'A' && conversion <= 'Z';
    return std::isnan(d) ? (capitals ? "NAN" : "nan") : (capitals ? "INF" : "inf");
  }
  std::array<char, 8> format{'%',
                             alternative ? '#' : '.',
                             alternative ? '.' : '*',
                             alternative ? '*' : conversion,
                             alternative ? conversion : '\0',
                             '\0'};
  // The longest double has 309 digits in front of the point; the precision is bounded by the caller.
  std::string out(static_cast<std::size_t>(precision) + 330, '\0');
  // The pieces of the format are the six conversions above and nothing else.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  auto written = std::snprintf(out.data(), out.size(), format.data(), precision, std::fabs(d));
#pragma GCC diagnostic pop
  out.resize(static_cast<std::size_t>(std::max(0, written)));
  return out;
}

template_text padded(const template_text& text, std::int64_t width, char align, std::string_view fill,
                     meter& use) {
  auto length = static_cast<std::int64_t>(*length_of(datum::string(text)));
  if (width <= length) return text;
  auto missing = static_cast<std::size_t>(width - length);
  use.make(std::min<std::size_t>(missing, std::size_t{1} << 40) * fill.size() + text.text.size());
  // Python puts the odd one of `^` to the right.
  auto left = align == '<' ? 0 : align == '>' ? missing : missing / 2;
  template_text out;
  for (std::size_t i = 0; i < left; ++i)
    out.append(fill);
  out.append(text);
  for (std::size_t i = left; i < missing; ++i)
    out.append(fill);
  return out;
}

}  // namespace lorica::jinja
