#include "text/template_attributes.hpp"

#include <algorithm>
#include <array>

#include "text/template_globals.hpp"
#include "text/template_loop.hpp"
#include "text/template_operators.hpp"

namespace lorica::jinja {
namespace {

template <std::size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<std::string_view, 3> list_methods = {"copy", "count", "index"};
constexpr std::array<std::string_view, 8> list_mutators = {"append", "clear",  "extend",  "insert",
                                                           "pop",    "remove", "reverse", "sort"};
constexpr std::array<std::string_view, 2> tuple_methods = {"count", "index"};
constexpr std::array<std::string_view, 6> dict_methods = {"copy",  "fromkeys", "get",
                                                          "items", "keys",     "values"};
constexpr std::array<std::string_view, 5> dict_mutators = {"clear", "pop", "popitem", "setdefault", "update"};
// What every object of Python has; the sandbox lets none of it out.
constexpr std::array<std::string_view, 14> internals = {
    "__class__", "__dir__",           "__doc__", "__eq__",  "__format__", "__getattribute__", "__hash__",
    "__init__",  "__init_subclass__", "__ne__",  "__new__", "__reduce__", "__repr__",         "__str__"};

datum forbidden(const datum& v, std::string_view name) {
  return datum::undefined("access to attribute '" + std::string(name) + "' of '" +
                              std::string(v.type_name()) + "' object is unsafe.",
                          true);
}

datum method(const datum& v, const std::string& name) {
  return datum::of(std::make_shared<method_object>(v, name));
}

std::optional<datum> object_attribute(const datum& v, const std::string& name) {
  auto o = v.as_object();
  if (auto space = dynamic_cast<namespace_object*>(o)) {
    auto found = space->attributes.find(name);
    return found ? std::optional(*found) : std::nullopt;
  }
  if (auto loop = dynamic_cast<loop_object*>(o)) return loop->attribute(v, name);
  if (auto other = dynamic_cast<attributed_object*>(o)) return other->attribute(v, name);
  if (auto range = dynamic_cast<range_object*>(o)) {
    if (name == "start") return datum::number(range->start);
    if (name == "stop") return datum::number(range->stop);
    if (name == "step") return datum::number(range->step);
  }
  return std::nullopt;
}

// Python's getattr with the sandbox's check; nothing where there is no such attribute.
std::optional<datum> python_attribute(const datum& v, const std::string& name) {
  if (name.starts_with("__") && !v.as_object() && among(internals, name)) return forbidden(v, name);
  if (v.as_text() && is_string_method(name)) return method(v, name);
  if (v.as_list() && among(list_methods, name)) return method(v, name);
  if (v.as_list() && among(list_mutators, name)) return forbidden(v, name);
  if (auto t = v.as_tuple()) {
    if (t->group && name == "grouper") return t->list[0];
    if (t->group && name == "list") return t->list[1];
    if (among(tuple_methods, name)) return method(v, name);
  }
  if (v.as_dict() && among(dict_methods, name)) return method(v, name);
  if (v.as_dict() && among(dict_mutators, name)) return forbidden(v, name);
  if (v.as_object()) return object_attribute(v, name);
  if (v.as_integer() && (name == "real" || name == "numerator")) return datum::number(*v.as_integer());
  if (v.as_integer() && name == "imag") return datum::number(0);
  if (v.as_integer() && name == "denominator") return datum::number(1);
  return std::nullopt;
}

// Python's v[key]; nothing where it raises TypeError or LookupError.
std::optional<datum> python_item(const datum& v, const datum& key) {
  if (auto d = v.as_dict()) {
    auto found = hashable(key) ? d->find(key) : nullptr;
    return found ? std::optional(*found) : std::nullopt;
  }
  auto index = key.as_integer();
  if (!index) return std::nullopt;
  if (auto t = v.as_text()) {
    auto at = index_within(*index, *length_of(v));
    if (!at) return std::nullopt;
    auto [begin, end] = character_at(t->text, *at);
    return datum::string(t->part(begin, end), v.is_markup());
  }
  auto list = v.as_list() ? v.as_list() : v.as_tuple();
  if (list) {
    auto at = index_within(*index, list->list.size());
    return at ? std::optional(list->list[*at]) : std::nullopt;
  }
  if (auto range = dynamic_cast<range_object*>(v.as_object())) {
    auto at = index_within(*index, static_cast<std::size_t>(range->count));
    return at ? std::optional(range->at(static_cast<std::int64_t>(*at))) : std::nullopt;
  }
  return std::nullopt;
}

// How Jinja names the owner of what is missing.
std::string owner(const datum& v) {
  if (v.is_none()) return "None";
  auto o = v.as_object();
  if (o && dynamic_cast<namespace_object*>(o)) return "jinja2 namespace object";
  return std::string(v.type_name()) + " object";
}

datum no_attribute(const datum& v, const std::string& name) {
  return datum::undefined("'" + owner(v) + "' has no attribute '" + name + "'");
}

}  // namespace

datum attribute(const datum& v, const std::string& name, meter& use) {
  use.step();
  if (v.is_undefined()) use_of_undefined(v);
  if (auto found = python_attribute(v, name)) return *std::move(found);
  if (auto d = v.as_dict())
    if (auto found = d->find(name)) return *found;
  return no_attribute(v, name);
}

datum bare_attribute(const datum& v, const std::string& name, meter& use) {
  use.step();
  if (v.is_undefined()) use_of_undefined(v);
  if (auto found = python_attribute(v, name)) return *std::move(found);
  return no_attribute(v, name);
}

datum item(const datum& v, const datum& key, meter& use) {
  use.step(v.as_text() ? 1 + (v.as_text()->text.size() >> 10) : 1);
  if (v.is_undefined()) use_of_undefined(v);
  if (auto found = python_item(v, key)) return *std::move(found);
  auto name = key.as_text();
  if (!name) return datum::undefined(owner(v) + " has no element of that index");
  if (auto found = python_attribute(v, name->text)) return *std::move(found);
  // A key from the request is not repeated.
  return name->marked() ? datum::undefined("'" + owner(v) + "' has no attribute of that name")
                        : no_attribute(v, name->text);
}

}  // namespace lorica::jinja
