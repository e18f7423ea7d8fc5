#include "text/template_number_text.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <string>

#include "core/utf8.hpp"
#include "text/template_strings.hpp"
#include "text/unicode.hpp"

namespace lorica::jinja {
namespace {

// Without white space around, in ASCII: Python takes the digits of every script.
std::optional<std::string> plain(std::string_view text) {
  auto points = code_points(text);
  while (!points.empty() && is_python_space(points.back()))
    points.pop_back();
  std::size_t begin = 0;
  while (begin < points.size() && is_python_space(points[begin]))
    ++begin;
  std::string out;
  for (auto c : points.substr(begin)) {
    if (auto digit = decimal_value(c))
      out += static_cast<char>('0' + *digit);
    else if (c < 0x80)
      out += static_cast<char>(c);
    else
      return std::nullopt;
  }
  return out;
}

// Underscores may stand between digits only.
bool drop_underscores(std::string& s) {
  auto digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  for (std::size_t i = 0; i < s.size(); ++i)
    if (s[i] == '_' && (i == 0 || i + 1 == s.size() || !digit(s[i - 1]) || !digit(s[i + 1]))) return false;
  std::erase(s, '_');
  return true;
}

char low(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

std::optional<integer> parsed_integer(std::string_view text, unsigned base) {
  auto s = plain(text);
  if (!s || s->empty()) return std::nullopt;
  bool negative = (*s)[0] == '-';
  if (negative || (*s)[0] == '+') s->erase(0, 1);
  auto prefix = s->size() > 2 && (*s)[0] == '0' ? low((*s)[1]) : '\0';
  auto named = prefix == 'x' ? 16u : prefix == 'o' ? 8u : prefix == 'b' ? 2u : 0u;
  if (named != 0 && (base == named || base == 0)) {
    s->erase(0, 2);
    if ((*s)[0] == '_') s->erase(0, 1);
    base = named;
  }
  if (base == 0) {
    if (s->size() > 1 && (*s)[0] == '0' && s->find_first_not_of("0_") != std::string::npos)
      return std::nullopt;
    base = 10;
  }
  if (s->empty() || !drop_underscores(*s)) return std::nullopt;
  integer out = 0;
  for (char c : *s) {
    c = low(c);
    auto digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
    if (digit >= static_cast<int>(base)) return std::nullopt;
    if (__builtin_mul_overflow(out, static_cast<integer>(base), &out) ||
        __builtin_add_overflow(out, digit, &out))
      limit_error("a whole number is larger than 128 bits");
  }
  return negative ? -out : out;
}

std::optional<double> parsed_real(std::string_view text) {
  auto s = plain(text);
  if (!s || s->empty()) return std::nullopt;
  bool negative = (*s)[0] == '-';
  if (negative || (*s)[0] == '+') s->erase(0, 1);
  if (s->empty() || !drop_underscores(*s)) return std::nullopt;
  for (auto& c : *s)
    c = low(c);
  double out = 0;
  if (*s == "inf" || *s == "infinity") {
    out = std::numeric_limits<double>::infinity();
  } else if (*s == "nan") {
    out = std::numeric_limits<double>::quiet_NaN();
  } else {
    if (((*s)[0] < '0' || (*s)[0] > '9') && (*s)[0] != '.') return std::nullopt;
    auto [end, code] = std::from_chars(s->data(), s->data() + s->size(), out);
    if (end != s->data() + s->size()) return std::nullopt;
    if (code == std::errc::result_out_of_range)
      out = s->find("e-") != std::string::npos ? 0.0 : std::numeric_limits<double>::infinity();
    else if (code != std::errc())
      return std::nullopt;
  }
  return negative ? -out : out;
}

}  // namespace lorica::jinja
