#include "text/template_filters.hpp"

#include <algorithm>

#include "text/template_attributes.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"
#include "text/template_strings.hpp"

namespace lorica::jinja {
namespace {

[[noreturn]] void unknown(std::string_view kind, const datum& name) {
  auto t = name.as_text();
  throw failure(failure_kind::filter, "No " + std::string(kind) + " named " +
                                          (t && !t->marked() ? "'" + t->text + "'" : "so") + ".");
}

std::vector<datum> path_of(const datum& path) {
  auto t = path.as_text();
  if (!t) return {path};
  std::vector<datum> out;
  std::string_view rest = t->text;
  while (true) {
    auto dot = std::min(rest.find('.'), rest.size());
    auto part = rest.substr(0, dot);
    bool number = !part.empty() && part.size() < 19 &&
                  std::all_of(part.begin(), part.end(), [](char c) { return c >= '0' && c <= '9'; });
    out.push_back(number ? datum::number(std::stoll(std::string(part))) : datum::string(part));
    if (dot == rest.size()) return out;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace

filter find_filter(std::string_view name) {
  for (auto find : {find_string_filter, find_list_filter, find_lazy_filter, find_number_filter})
    if (auto found = find(name)) return found;
  return nullptr;
}

bool is_refused_filter(std::string_view name) {
  constexpr std::string_view names[] = {"pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

datum call_filter(const datum& name, const datum& v, const call_arguments& given, meter& use) {
  auto t = name.as_text();
  auto found = t ? find_filter(t->text) : nullptr;
  if (!found) unknown("filter", name);
  use.step();
  auto deeper = use.deeper();
  return found(v, given, use);
}

bool call_test(const datum& name, const datum& v, const call_arguments& given, meter& use) {
  auto t = name.as_text();
  auto found = t ? find_test(t->text) : nullptr;
  if (!found) unknown("test", name);
  use.step();
  return found(v, given, use);
}

datum attribute_path(const datum& v, const datum& path, const datum* fallback, meter& use) {
  if (path.is_none()) return v;
  auto out = v;
  for (auto& part : path_of(path)) {
    out = item(out, part, use);
    if (fallback && out.is_undefined()) out = *fallback;
  }
  return out;
}

datum ignoring_case(const datum& v, bool ignore, meter& use) {
  auto t = v.as_text();
  return t && ignore ? datum::string(lowered(*t, use)) : v;
}

datum soft_string(const datum& v, meter& use) {
  return v.as_text() ? v : datum::string(str_of(v, use));
}

}  // namespace lorica::jinja
