#include <algorithm>

#include "text/template_attributes.hpp"
#include "text/template_operators.hpp"

namespace lorica::jinja {
namespace {

datum index_in(const items& list, const call_arguments& given, meter& use) {
  bound_arguments a(given, "index", {"value", "start", "stop"}, 1);
  auto size = static_cast<std::int64_t>(list.size());
  auto bound = [&](std::size_t i, std::int64_t fallback) {
    auto at = a.whole(i, fallback);
    return at < 0 ? std::max<std::int64_t>(0, at < -size ? 0 : at + size) : std::min(at, size);
  };
  for (auto i = bound(1, 0); i < bound(2, size); ++i) {
    use.step();
    if (equal(list[static_cast<std::size_t>(i)], a.at(0))) return datum::number(i);
  }
  value_error("the value is not in the list");
}

datum count_in(const items& list, const call_arguments& given, meter& use) {
  bound_arguments a(given, "count", {"value"}, 1);
  use.step(list.size());
  return datum::number(std::count_if(list.begin(), list.end(), [&](auto& v) { return equal(v, a.at(0)); }));
}

datum list_method(const method_object& m, const items& list, const call_arguments& given, meter& use) {
  if (m.name == "count") return count_in(list, given, use);
  if (m.name == "index") return index_in(list, given, use);
  bound_arguments none(given, m.name, {});
  use.step(list.size());
  return datum::list(list);
}

datum dict_view(const method_object& m, view_object::part part) {
  return datum::of(std::make_shared<view_object>(m.self.dict_pointer(), part));
}

datum from_keys(const call_arguments& given, meter& use) {
  bound_arguments a(given, "fromkeys", {"iterable", "value"}, 1);
  auto out = std::make_shared<dictionary>();
  for (auto& key : listed(a.at(0), use))
    out->set(key, a.value(1, datum::none()));
  return datum::dict(std::move(out));
}

datum dict_method(const method_object& m, const call_arguments& given, meter& use) {
  auto& d = *m.self.as_dict();
  if (m.name == "get") {
    if (!given.named.empty()) type_error("dict.get() takes no keyword arguments");
    bound_arguments a(given, "get", {"key", "default"}, 1);
    if (!hashable(a.at(0))) type_error("unhashable type: '" + std::string(a.at(0).type_name()) + "'");
    auto found = d.find(a.at(0));
    return found ? *found : a.value(1, datum::none());
  }
  if (m.name == "fromkeys") return from_keys(given, use);
  bound_arguments none(given, m.name, {});
  if (m.name == "items") return dict_view(m, view_object::part::items);
  if (m.name == "keys") return dict_view(m, view_object::part::keys);
  if (m.name == "values") return dict_view(m, view_object::part::values);
  return m.self;  // a copy, and nothing can change either
}

}  // namespace

datum call_method(const method_object& m, const call_arguments& given, meter& use) {
  if (m.self.as_text()) return call_string_method(m.self, m.name, given, use);
  if (auto s = m.self.as_list()) return list_method(m, s->list, given, use);
  if (auto s = m.self.as_tuple()) return list_method(m, s->list, given, use);
  return dict_method(m, given, use);
}

}  // namespace lorica::jinja
