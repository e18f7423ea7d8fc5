#include <algorithm>
#include <map>

#include "text/template_attributes.hpp"
#include "text/template_filters.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"
#include "text/template_strings.hpp"

namespace lorica::jinja {
namespace {

datum length(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "length", {});
  use.step(v.as_text() ? v.as_text()->text.size() >> 10 : 0);
  auto n = length_of(v);
  if (!n) type_error("object of type '" + std::string(v.type_name()) + "' has no len()");
  return datum::number(static_cast<integer>(*n));
}

datum fallback(const datum& v, const call_arguments& given, meter&) {
  bound_arguments a(given, "default", {"default_value", "boolean"});
  bool replace = v.is_undefined() || (a.truth(1, false) && !v.truth());
  return replace ? a.value(0, datum::string("")) : v;
}

datum first(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "first", {});
  use.step();
  return walk(v)->next().value_or(datum::undefined("No first item, sequence was empty."));
}

// Python can walk these backwards; generators it cannot.
std::optional<items> backwards(const datum& v, meter& use) {
  auto o = v.as_object();
  bool can = v.is_undefined() || v.as_text() || v.as_list() || v.as_tuple() || v.as_dict() ||
             dynamic_cast<range_object*>(o) || dynamic_cast<view_object*>(o);
  if (!can) return std::nullopt;
  auto out = listed(v, use);
  std::reverse(out.begin(), out.end());
  return out;
}

datum last(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "last", {});
  if (auto t = v.as_text(); t && !t->text.empty()) return item(v, datum::number(-1), use);
  if (v.as_list() || v.as_tuple()) {
    auto& list = v.as_list() ? v.as_list()->list : v.as_tuple()->list;
    if (!list.empty()) return list.back();
  }
  auto list = backwards(v, use);
  if (!list) type_error("'" + std::string(v.type_name()) + "' object is not reversible");
  return list->empty() ? datum::undefined("No last item, sequence was empty.") : list->front();
}

datum reverse(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "reverse", {});
  if (v.as_text()) return sliced(v, std::nullopt, std::nullopt, datum::number(-1), use);
  if (auto list = backwards(v, use)) {
    auto depth = v.depth();
    auto steps = stepping([list = *std::move(list), at = std::size_t{0}]() mutable -> std::optional<datum> {
      return at == list.size() ? std::nullopt : std::optional(list[at++]);
    });
    return datum::of(std::make_shared<generator_object>(std::move(steps), depth, "list_reverseiterator"));
  }
  if (!iterable(v)) throw failure(failure_kind::filter, "argument must be iterable");
  auto list = listed(v, use);
  std::reverse(list.begin(), list.end());
  return datum::list(std::move(list));
}

datum list(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments none(given, "list", {});
  return datum::list(listed(v, use));
}

// Sorts by keys that were worked out before; equal ones stay in their order.
items sorted(std::vector<std::pair<datum, datum>> keyed, bool reverse, meter& use) {
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    use.step();
    return reverse ? compared(b.first, a.first, "<") < 0 : compared(a.first, b.first, "<") < 0;
  });
  items out;
  for (auto& [key, v] : keyed)
    out.push_back(std::move(v));
  return out;
}

datum sort(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "sort", {"reverse", "case_sensitive", "attribute"});
  std::vector<datum> paths;
  auto path = a.value(2, datum::none());
  if (auto t = path.as_text()) {
    for (auto& part : split(*t, ",", -1, use))
      paths.push_back(datum::string(std::move(part)));
  } else {
    paths.push_back(path);
  }
  bool ignore = !a.truth(1, false);
  std::vector<std::pair<datum, datum>> keyed;
  for (auto& entry : listed(v, use)) {
    items key;
    for (auto& p : paths)
      key.push_back(ignoring_case(attribute_path(entry, p, nullptr, use), ignore, use));
    keyed.emplace_back(datum::list(std::move(key)), entry);
  }
  return datum::list(sorted(std::move(keyed), a.truth(0, false), use));
}

datum dict_sort(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "dictsort", {"case_sensitive", "by", "reverse"});
  auto by = a.given(1) ? str_of(a.at(1), use).text : "key";
  if (by != "key" && by != "value")
    throw failure(failure_kind::filter, "You can only sort by either \"key\" or \"value\"");
  if (v.is_undefined()) use_of_undefined(v);
  auto d = v.as_dict();
  if (!d) type_error("dictsort wants a dict, not " + std::string(v.type_name()));
  bool ignore = !a.truth(0, false);
  std::vector<std::pair<datum, datum>> keyed;
  for (auto& [key, value] : d->entries)
    keyed.emplace_back(ignoring_case(by == "key" ? key : value, ignore, use), datum::tuple({key, value}));
  return datum::list(sorted(std::move(keyed), a.truth(2, false), use));
}

template <bool Largest>
datum extreme(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, Largest ? "max" : "min", {"case_sensitive", "attribute"});
  bool ignore = !a.truth(0, false);
  auto path = a.value(1, datum::none());
  std::optional<std::pair<datum, datum>> best;
  auto steps = walk(v);
  while (auto next = steps->next()) {
    use.step();
    auto key = ignoring_case(attribute_path(*next, path, nullptr, use), ignore, use);
    bool better =
        !best || (Largest ? compared(key, best->first, ">") > 0 : compared(key, best->first, "<") < 0);
    if (better) best.emplace(std::move(key), *next);
  }
  return best ? best->second : datum::undefined("No aggregated item, sequence was empty.");
}

datum sum(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "sum", {"attribute", "start"});
  auto out = a.value(1, datum::number(0));
  if (out.as_text()) type_error("sum() can't sum strings [use ''.join(seq) instead]");
  auto path = a.value(0, datum::none());
  auto steps = walk(v);
  while (auto next = steps->next()) {
    use.step();
    out = operate(binary_operator::add, out, attribute_path(*next, path, nullptr, use), use);
  }
  return out;
}

datum group_by(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "groupby", {"attribute", "default", "case_sensitive"}, 1);
  bool ignore = !a.truth(2, false);
  bool has_default = a.given(1) && !a.at(1).is_none();
  auto key_of = [&](const datum& entry) {
    return attribute_path(entry, a.at(0), has_default ? &a.at(1) : nullptr, use);
  };
  std::vector<std::pair<datum, datum>> keyed;
  for (auto& entry : listed(v, use))
    keyed.emplace_back(ignoring_case(key_of(entry), ignore, use), entry);
  items out, group;
  std::optional<datum> key;
  auto close = [&] {
    if (!key) return;
    auto shown = key_of(group.front());
    out.push_back(datum::tuple({shown, datum::list(std::exchange(group, {}))}, true));
  };
  for (auto& entry : sorted(std::move(keyed), false, use)) {
    auto next = ignoring_case(key_of(entry), ignore, use);
    if (!key || !equal(*key, next)) {
      close();
      key = next;
    }
    group.push_back(entry);
  }
  close();
  return datum::list(std::move(out));
}

datum attr(const datum& v, const call_arguments& given, meter& use) {
  bound_arguments a(given, "attr", {"name"}, 1);
  return bare_attribute(v, a.text(0).text, use);
}

}  // namespace

filter find_list_filter(std::string_view name) {
  static const std::map<std::string_view, filter> table = {
      {"attr", attr},          {"count", length}, {"d", fallback},        {"default", fallback},
      {"dictsort", dict_sort}, {"first", first},  {"groupby", group_by},  {"last", last},
      {"length", length},      {"list", list},    {"max", extreme<true>}, {"min", extreme<false>},
      {"reverse", reverse},    {"sort", sort},    {"sum", sum},
  };
  auto at = table.find(name);
  return at == table.end() ? nullptr : at->second;
}

}  // namespace lorica::jinja
