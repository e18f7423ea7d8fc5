#include "text/template_value.hpp"

#include <algorithm>
#include <cmath>

#include "core/utf8.hpp"
#include "text/template_repr.hpp"

namespace lorica::jinja {
namespace {

// A container's depth from that of its items; what could grow without end is stopped here.
unsigned one_deeper(unsigned depth) {
  if (depth >= render_limits::value_depth) limit_error("values are nested deeper than 200");
  return depth + 1;
}

unsigned depth_of(const items& list) {
  unsigned deepest = 0;
  for (auto& v : list)
    deepest = std::max(deepest, v.depth());
  return one_deeper(deepest);
}

std::shared_ptr<const sequence> sequence_of(items list, bool group) {
  auto depth = depth_of(list);
  return std::make_shared<const sequence>(sequence{std::move(list), depth, group});
}

}  // namespace

datum datum::string(template_text text, bool markup) {
  return datum(std::make_shared<const string_data>(string_data{std::move(text), markup}));
}
datum datum::list(items list) {
  return datum(sequence_of(std::move(list), false));
}
datum datum::tuple(items list, bool group) {
  return datum(tuple_ptr{sequence_of(std::move(list), group)});
}
datum datum::dict(std::shared_ptr<dictionary> d) {
  return datum(dict_ptr(std::move(d)));
}
datum datum::undefined(std::string why, bool unsafe) {
  return datum(std::make_shared<const undefined_data>(undefined_data{std::move(why), unsafe}));
}

std::optional<integer> datum::as_integer() const noexcept {
  if (auto i = std::get_if<integer>(&v_)) return *i;
  if (auto b = as_bool()) return *b ? 1 : 0;
  return std::nullopt;
}

const template_text* datum::as_text() const noexcept {
  auto s = std::get_if<std::shared_ptr<const string_data>>(&v_);
  return s ? &(*s)->text : nullptr;
}
bool datum::is_markup() const noexcept {
  auto s = std::get_if<std::shared_ptr<const string_data>>(&v_);
  return s && (*s)->markup;
}
const sequence* datum::as_list() const noexcept {
  auto s = std::get_if<list_ptr>(&v_);
  return s ? s->get() : nullptr;
}
const sequence* datum::as_tuple() const noexcept {
  auto s = std::get_if<tuple_ptr>(&v_);
  return s ? s->data.get() : nullptr;
}
const dictionary* datum::as_dict() const noexcept {
  auto d = std::get_if<dict_ptr>(&v_);
  return d ? d->get() : nullptr;
}
datum::dict_ptr datum::dict_pointer() const noexcept {
  auto d = std::get_if<dict_ptr>(&v_);
  return d ? *d : nullptr;
}
object* datum::as_object() const noexcept {
  auto o = std::get_if<object_ptr>(&v_);
  return o ? o->get() : nullptr;
}
datum::object_ptr datum::object_pointer() const {
  return std::get<object_ptr>(v_);
}
const undefined_data* datum::as_undefined() const noexcept {
  auto u = std::get_if<undefined_ptr>(&v_);
  return u ? u->get() : nullptr;
}

std::string_view datum::type_name() const {
  if (missing() || is_undefined()) return "Undefined";
  if (is_none()) return "NoneType";
  if (as_bool()) return "bool";
  if (is_int()) return "int";
  if (as_real()) return "float";
  if (as_text()) return is_markup() ? "Markup" : "str";
  if (as_list()) return "list";
  if (as_tuple()) return "tuple";
  if (as_dict()) return "dict";
  return as_object()->type_name();
}

unsigned datum::depth() const noexcept {
  if (auto s = as_list()) return s->depth;
  if (auto s = as_tuple()) return s->depth;
  if (auto d = as_dict()) return d->depth;
  if (auto o = as_object()) return o->depth();
  return 0;
}

bool datum::truth() const {
  if (missing() || is_undefined() || is_none()) return false;
  if (auto i = as_integer()) return *i != 0;
  if (auto r = as_real()) return *r != 0;
  if (auto t = as_text()) return !t->text.empty();
  if (auto s = as_list()) return !s->list.empty();
  if (auto s = as_tuple()) return !s->list.empty();
  if (auto d = as_dict()) return !d->entries.empty();
  return as_object()->truth();
}

const void* datum::address() const noexcept {
  if (auto t = as_text()) return t;
  if (auto s = as_list()) return s;
  if (auto s = as_tuple()) return s;
  if (auto d = as_dict()) return d;
  return as_object();
}

bool hashable(const datum& v) {
  if (v.as_list() || v.as_dict()) return false;
  auto t = v.as_tuple();
  return !t || std::all_of(t->list.begin(), t->list.end(), hashable);
}

void dictionary::set(datum key, datum value) {
  if (!hashable(key)) type_error("unhashable type: '" + std::string(key.type_name()) + "'");
  depth = std::max(depth, one_deeper(std::max(key.depth(), value.depth())));
  if (auto at = place(key)) {
    entries[*at].second = std::move(value);
    return;
  }
  if (auto text = key.as_text())
    by_text_.emplace(text->text, entries.size());
  else
    others_.push_back(entries.size());
  entries.emplace_back(std::move(key), std::move(value));
}

std::optional<std::size_t> dictionary::place(const datum& key) const {
  if (auto text = key.as_text()) {
    auto at = by_text_.find(text->text);
    return at == by_text_.end() ? std::nullopt : std::optional(at->second);
  }
  for (auto at : others_)
    if (equal(entries[at].first, key)) return at;
  return std::nullopt;
}

const datum* dictionary::find(const datum& key) const {
  auto at = place(key);
  return at ? &entries[*at].second : nullptr;
}

const datum* dictionary::find(std::string_view key) const {
  auto at = by_text_.find(key);
  return at == by_text_.end() ? nullptr : &entries[at->second].second;
}

std::string range_object::repr() const {
  auto out = "range(" + std::to_string(start) + ", " + std::to_string(stop);
  if (step != 1) out += ", " + std::to_string(step);
  return out + ")";
}

std::unique_ptr<iterator> range_object::walk() {
  return stepping([at = std::int64_t{0}, range = *this]() mutable -> std::optional<datum> {
    if (at == range.count) return std::nullopt;
    return range.at(at++);
  });
}

bool range_object::equals(const object& other) const {
  auto r = dynamic_cast<const range_object*>(&other);
  if (!r || r->count != count) return false;
  return count == 0 || (start == r->start && (count == 1 || step == r->step));
}

generator_object::generator_object(std::unique_ptr<iterator> steps, unsigned depth, std::string_view name)
    : steps_(std::move(steps)), depth_(one_deeper(depth)), name_(name) {}

std::unique_ptr<iterator> generator_object::walk() {
  return stepping([steps = steps_] { return steps->next(); });
}

std::string namespace_object::repr() const {
  return "<Namespace object>";
}

std::string_view view_object::type_name() const {
  return shows == part::keys ? "dict_keys" : shows == part::values ? "dict_values" : "dict_items";
}

datum view_object::at(std::size_t index) const {
  auto& [key, value] = dict->entries[index];
  if (shows == part::keys) return key;
  if (shows == part::values) return value;
  return datum::tuple({key, value});
}

std::string view_object::repr() const {
  return std::string(type_name());
}

std::unique_ptr<iterator> view_object::walk() {
  return stepping([at = std::size_t{0}, view = *this]() mutable -> std::optional<datum> {
    if (at == view.dict->entries.size()) return std::nullopt;
    return view.at(at++);
  });
}

std::unique_ptr<iterator> walk(const datum& v) {
  if (v.is_undefined()) return stepping([] { return std::optional<datum>(); });
  auto through = [&](const sequence& s) {
    return stepping([at = std::size_t{0}, &s, keep = v]() mutable -> std::optional<datum> {
      if (at == s.list.size()) return std::nullopt;
      return s.list[at++];
    });
  };
  if (auto s = v.as_list()) return through(*s);
  if (auto s = v.as_tuple()) return through(*s);
  if (v.as_dict()) return view_object(v.dict_pointer(), view_object::part::keys).walk();
  if (auto t = v.as_text())
    return stepping([at = std::size_t{0}, t, keep = v]() mutable -> std::optional<datum> {
      if (at == t->text.size()) return std::nullopt;
      auto begin = at;
      at += std::max<std::size_t>(1, utf8_length(std::string_view(t->text).substr(at, 4)));
      return datum::string(t->part(begin, at), keep.is_markup());
    });
  auto o = v.as_object();
  auto steps = o ? o->walk() : nullptr;
  if (!steps) type_error("'" + std::string(v.type_name()) + "' object is not iterable");
  return steps;
}

bool iterable(const datum& v) {
  if (v.is_undefined() || v.as_list() || v.as_tuple() || v.as_dict() || v.as_text()) return true;
  auto o = v.as_object();
  return o && o->walk() != nullptr;
}

items listed(const datum& v, meter& use) {
  items out;
  auto steps = walk(v);
  while (auto next = steps->next()) {
    use.step();
    out.push_back(*std::move(next));
  }
  return out;
}

std::optional<std::size_t> length_of(const datum& v) {
  if (v.is_undefined()) return 0;
  if (auto t = v.as_text())
    return static_cast<std::size_t>(
        std::count_if(t->text.begin(), t->text.end(), [](char c) { return !utf8_is_tail(c); }));
  if (auto s = v.as_list()) return s->list.size();
  if (auto s = v.as_tuple()) return s->list.size();
  if (auto d = v.as_dict()) return d->entries.size();
  if (auto o = v.as_object()) return o->length();
  return std::nullopt;
}

void use_of_undefined(const datum& v) {
  auto u = v.as_undefined();
  throw failure(u && u->unsafe ? failure_kind::security : failure_kind::undefined,
                u ? u->why : "a value is undefined");
}

}  // namespace lorica::jinja
