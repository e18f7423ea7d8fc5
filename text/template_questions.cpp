#include <algorithm>
#include <map>

#include "text/template_strings.hpp"

namespace lorica::jinja {
namespace {

template <bool (*Is)(char32_t)>
bool all_are(std::string_view text) {
  auto points = code_points(text);
  return !points.empty() && std::all_of(points.begin(), points.end(), Is);
}

bool is_alphanumeric(char32_t c) {
  return is_alphabetic(c) || is_numeric(c);
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char b) { return static_cast<unsigned char>(b) < 128; });
}

bool all_printable(std::string_view text) {
  auto points = code_points(text);
  return std::all_of(points.begin(), points.end(), is_printable);
}

bool is_identifier(std::string_view text) {
  auto points = code_points(text);
  return !points.empty() && begins_identifier(points[0]) &&
         std::all_of(points.begin(), points.end(), continues_identifier);
}

bool is_title(std::string_view text) {
  bool within = false, any = false;
  for (auto p : code_points(text)) {
    auto kind = case_of(p);
    bool capital = kind == letter_case::upper || kind == letter_case::title;
    if ((capital && within) || (kind == letter_case::lower && !within)) return false;
    within = capital || kind == letter_case::lower;
    any = any || within;
  }
  return any;
}

template <letter_case Wanted>
bool is_case(std::string_view text) {
  return has_case(text, Wanted);
}

}  // namespace

bool has_case(std::string_view text, letter_case wanted) {
  bool any = false;
  for (auto p : code_points(text)) {
    auto kind = case_of(p);
    if (kind != letter_case::none && kind != wanted) return false;
    any = any || kind == wanted;
  }
  return any;
}

question find_question(std::string_view name) {
  static const std::map<std::string_view, question> table = {
      {"isalnum", all_are<is_alphanumeric>},
      {"isalpha", all_are<is_alphabetic>},
      {"isascii", is_ascii},
      {"isdecimal", all_are<is_decimal>},
      {"isdigit", all_are<is_digit>},
      {"isidentifier", is_identifier},
      {"islower", is_case<letter_case::lower>},
      {"isnumeric", all_are<is_numeric>},
      {"isprintable", all_printable},
      {"isspace", all_are<is_python_space>},
      {"istitle", is_title},
      {"isupper", is_case<letter_case::upper>},
  };
  auto at = table.find(name);
  return at == table.end() ? nullptr : at->second;
}

}  // namespace lorica::jinja
