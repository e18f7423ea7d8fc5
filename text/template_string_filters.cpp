#include <algorithm>
#include <cmath>
#include <map>

#include "core/utf8.hpp"
#include "text/template_escape.hpp"
#include "text/template_filters.hpp"
#include "text/template_format.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"
#include "text/template_strings.hpp"
#include "text/unicode.hpp"

namespace lorica::jinja {
namespace {

template <template_text (*Map)(const template_text&, meter&)>
datum mapped(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "a filter of strings", {});
  auto s = soft_string(v, use);
  return datum::string(Map(*s.as_text(), use), s.is_markup());
}

datum string(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "string", {});
  return soft_string(v, use);
}

datum safe(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "safe", {});
  return datum::string(str_of(v, use), true);
}

datum escape(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "escape", {});
  return v.is_markup() ? v : datum::string(html_escaped(str_of(v, use), use), true);
}

datum force_escape(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "forceescape", {});
  return datum::string(html_escaped(str_of(v, use), use), true);
}

datum trim(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "trim", {"chars"});
  std::optional<std::string_view> chars;
  if (a.given(0) && !a.at(0).is_none()) chars = a.text(0).text;
  auto s = soft_string(v, use);
  return datum::string(stripped(*s.as_text(), text_end::both, chars, use), s.is_markup());
}

datum replace(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "replace", {"old", "new", "count"}, 2);
  std::int64_t most = a.given(2) && !a.at(2).is_none() ? a.whole(2, std::int64_t{-1}) : -1;
  return datum::string(replaced(str_of(v, use), str_of(a.at(0), use).text, str_of(a.at(1), use), most, use));
}

datum center(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "center", {"width"});
  auto s = soft_string(v, use);
  auto width = a.whole(0, std::int64_t{80});
  auto length = static_cast<std::int64_t>(*length_of(s));
  auto missing = std::max<std::int64_t>(0, width - std::min(width, length));
  auto out = padded(*s.as_text(), length + missing / 2 + (missing & width & 1), '>', " ", use);
  return datum::string(padded(out, width, '<', " ", use), s.is_markup());
}

bool parts_words(char32_t c) {
  return c == '-' || c == '(' || c == '{' || c == '[' || c == '<' || is_python_space(c);
}

// Each run of what parts words, and each word between, gets a capital first letter.
datum title(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "title", {});
  auto s = soft_string(v, use);
  auto& t = *s.as_text();
  std::string_view text = t.text;
  template_text out;
  for (std::size_t begin = 0; begin < text.size();) {
    auto first = utf8_decode(text.substr(begin));
    auto second = begin + utf8_length(text.substr(begin, 4));
    auto end = second;
    while (end < text.size() && parts_words(utf8_decode(text.substr(end))) == parts_words(first))
      end += utf8_length(text.substr(end, 4));
    out.append(uppered(t.part(begin, second), use));
    out.append(lowered(t.part(second, end), use));
    begin = end;
  }
  return datum::string(std::move(out), s.is_markup());
}

datum indent(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "indent", {"width", "first", "blank"});
  if (v.is_undefined()) use_of_undefined(v);
  auto t = v.as_text();
  if (!t) type_error("indent wants a string, not " + std::string(v.type_name()));
  template_text by(std::string(4, ' '));
  if (a.given(0) && a.at(0).as_text())
    by = *a.at(0).as_text();
  else if (a.given(0))
    by = *operate(binary_operator::multiply, datum::string(" "), a.at(0), use).as_text();
  bool blank = a.truth(2, false);
  auto whole = *t;
  whole.append("\n");
  auto lines = lines_of(whole, false, use);
  template_text out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    use.make(by.text.size() + lines[i].text.size());
    // The line ends were the request's when anything here was.
    if (i > 0) out.append("\n", t->marked());
    if (i == 0 ? a.truth(1, false) : blank || !lines[i].text.empty()) out.append(by);
    out.append(lines[i]);
  }
  return datum::string(std::move(out), v.is_markup());
}

datum truncate(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "truncate", {"length", "killwords", "end", "leeway"});
  auto size = length_of(v);
  if (!size) type_error("truncate wants a string, not " + std::string(v.type_name()));
  auto length = a.whole(0, std::int64_t{255});
  auto end = a.given(2) ? a.text(2) : template_text("...");
  auto leeway = a.given(3) && !a.at(3).is_none() ? a.whole(3, std::int64_t{5}) : 5;
  auto end_length = static_cast<std::int64_t>(*length_of(datum::string(end)));
  if (length < end_length || leeway < 0)
    throw failure(failure_kind::filter,
                  "truncate: length must not be below that of its end, leeway not below 0");
  if (static_cast<integer>(*size) <= integer{length} + leeway) return v;
  if (!v.as_text()) type_error("truncate wants a string, not " + std::string(v.type_name()));
  auto kept = *sliced(v, std::nullopt, datum::number(length - end_length), std::nullopt, use).as_text();
  if (!a.truth(1, false)) {
    auto space = kept.text.rfind(' ');
    if (space != std::string::npos) kept.cut(space);
  }
  kept.append(end);
  return datum::string(std::move(kept), v.is_markup());
}

datum format(const datum& v, const call_arguments& given, meter& use) {
  if (!given.positional.empty() && !given.named.empty())
    throw failure(failure_kind::filter, "can't handle positional and keyword arguments at the same time");
  auto s = soft_string(v, use);
  if (given.named.empty()) return percent_format(s, datum::tuple(given.positional), use);
  auto names = std::make_shared<dictionary>();
  for (auto& [name, value] : given.named)
    names->set(datum::string(name), value);
  return percent_format(s, datum::dict(std::move(names)), use);
}

datum word_count(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "wordcount", {});
  integer words = 0;
  bool within = false;
  for (auto c : code_points(soft_string(v, use).as_text()->text)) {
    bool word = is_word_character(c);
    words += word && !within;
    within = word;
  }
  return datum::number(words);
}

datum to_json(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
  json_style style;
  style.ensure_ascii = a.truth(0, false);
  style.sort_keys = a.truth(3, false);
  if (a.given(1) && !a.at(1).is_none()) {
    style.item_separator = template_text(",");
    style.indent = a.at(1).as_text()
                       ? *a.at(1).as_text()
                       : *operate(binary_operator::multiply, datum::string(" "), a.at(1), use).as_text();
  }
  if (a.given(2) && !a.at(2).is_none()) {
    auto pair = listed(a.at(2), use);
    if (pair.size() != 2 || !pair[0].as_text() || !pair[1].as_text())
      type_error("tojson: separators must be two strings, between items and behind keys");
    style.item_separator = *pair[0].as_text();
    style.key_separator = *pair[1].as_text();
  }
  return datum::string(json_of(v, style, use));
}

datum url_encode(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "urlencode", {});
  if (v.as_text() || !iterable(v)) return datum::string(url_quoted(str_of(v, use), false, use));
  auto pairs = v.as_dict() ? view_object(v.dict_pointer(), view_object::part::items).walk() : walk(v);
  template_text out;
  while (auto next = pairs->next()) {
    auto pair = listed(*next, use);
    if (pair.size() != 2) value_error("urlencode wants pairs of a key and a value");
    if (!out.text.empty()) out.append("&");
    out.append(url_quoted(str_of(pair[0], use), true, use));
    out.append("=");
    out.append(url_quoted(str_of(pair[1], use), true, use));
  }
  return datum::string(std::move(out));
}

datum join(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "join", {"d", "attribute"});
  auto between = a.given(0) ? str_of(a.at(0), use) : template_text();
  auto steps = walk(v);
  template_text out;
  for (bool first = true; auto next = steps->next(); first = false) {
    use.step();
    auto t =
        str_of(a.given(1) && !a.at(1).is_none() ? attribute_path(*next, a.at(1), nullptr, use) : *next, use);
    if (!first) out.append(between);
    use.make(between.text.size());
    out.append(t);
  }
  return datum::string(std::move(out));
}

}  // namespace

filter find_string_filter(std::string_view name) {
  static const std::map<std::string_view, filter> table = {
      {"capitalize", mapped<capitalised>},
      {"center", center},
      {"e", escape},
      {"escape", escape},
      {"forceescape", force_escape},
      {"format", format},
      {"indent", indent},
      {"join", join},
      {"lower", mapped<lowered>},
      {"replace", replace},
      {"safe", safe},
      {"string", string},
      {"title", title},
      {"tojson", to_json},
      {"trim", trim},
      {"truncate", truncate},
      {"upper", mapped<uppered>},
      {"urlencode", url_encode},
      {"wordcount", word_count},
  };
  auto at = table.find(name);
  return at == table.end() ? nullptr : at->second;
}

}  // namespace lorica::jinja
