#include "net/field_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/shown.hpp"
#include "core/single.hpp"
#include "net/http_error.hpp"

namespace lorica {
namespace {

bool changes_nothing(const value& v, std::optional<double> neutral) {
  if (auto b = v.as_bool()) return !*b;
  if (v.is_number()) return v.number() == 0 || (neutral && v.number() == *neutral);
  if (auto s = v.as_string()) return s->empty();
  if (auto a = v.as_array()) return a->empty();
  auto o = v.as_object();
  return !o || o->empty();
}

std::string quoted(std::string_view name) {
  return fmt::format("`{}`", name);
}

std::optional<std::vector<std::string>> strings_of(const value::array& list) {
  std::vector<std::string> out;
  out.reserve(list.size());
  for (auto& item : list) {
    auto text = item.as_string();
    if (!text) return std::nullopt;
    out.push_back(*text);
  }
  return out;
}

std::optional<std::vector<float>> numbers_of(const value::array& list) {
  std::vector<float> out;
  out.reserve(list.size());
  for (auto& item : list) {
    auto number = item.is_number() ? single(item.number()) : std::nullopt;
    if (!number) return std::nullopt;
    out.push_back(*number);
  }
  return out;
}

}  // namespace

const value* field_reader::raw(std::string_view name) const {
  return source_ ? source_->find(name) : nullptr;
}

void field_reader::only(std::initializer_list<std::string_view> known) {
  auto members = source_ ? source_->as_object() : nullptr;
  if (!members) return;
  for (auto& [name, ignored] : *members) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    auto named = shown(name);
    return demand(false, named,
                  known.size() == 0 ? quoted(named) + " is not a field of this body, which has none"
                                    : fmt::format("`{}` is not a field of this body; it has `{}`", named,
                                                  fmt::join(known, "`, `")));
  }
}

void field_reader::demand(bool fits, std::string_view name, std::string text) {
  if (!fits && !refusal_) refusal_ = invalid_field(std::move(text), std::string(name));
}

void field_reader::refuse(error why) {
  if (!refusal_) refusal_ = std::move(why);
}

void field_reader::wrong_type(std::string_view name, std::string_view wanted, const value& given) {
  demand(false, name,
         quoted(name) + " must be " + std::string(wanted) + ". Given: " + std::string(given.kind()));
}

void field_reader::not_served(std::string_view name) {
  if (refusal_) return;
  refusal_ =
      fail(errc::unsupported, "Input validation error: " + quoted(name) + " is not served; leave it out", {},
           std::string(name));
}

void field_reader::not_served_unless_neutral(std::string_view name, std::optional<double> neutral) {
  if (auto v = raw(name); v && !changes_nothing(*v, neutral)) not_served(name);
}

std::optional<bool> field_reader::boolean(std::string_view name) {
  auto v = raw(name);
  if (!v) return std::nullopt;
  if (auto b = v->as_bool()) return *b;
  wrong_type(name, "a boolean", *v);
  return std::nullopt;
}

std::optional<std::string> field_reader::text(std::string_view name) {
  auto v = raw(name);
  if (!v) return std::nullopt;
  if (auto s = v->as_string()) return *s;
  wrong_type(name, "a string", *v);
  return std::nullopt;
}

std::optional<std::vector<std::string>> field_reader::texts(std::string_view name) {
  auto v = raw(name);
  if (!v) return std::nullopt;
  if (auto list = v->as_array())
    if (auto out = strings_of(*list)) return out;
  wrong_type(name, "a list of strings", *v);
  return std::nullopt;
}

std::optional<std::vector<float>> field_reader::numbers(std::string_view name) {
  auto v = raw(name);
  if (!v) return std::nullopt;
  if (auto list = v->as_array())
    if (auto out = numbers_of(*list)) return out;
  wrong_type(name, "a list of finite numbers of single precision", *v);
  return std::nullopt;
}

std::optional<std::vector<std::string>> field_reader::text_or_texts(std::string_view name) {
  auto v = raw(name);
  if (!v) return std::nullopt;
  if (auto s = v->as_string()) return std::vector<std::string>{*s};
  if (auto list = v->as_array())
    if (auto out = strings_of(*list)) return out;
  wrong_type(name, "a string or a list of strings", *v);
  return std::nullopt;
}

std::optional<float> field_reader::number(std::string_view name) {
  auto v = raw(name);
  if (!v) return std::nullopt;
  if (!v->is_number()) {
    wrong_type(name, "a number", *v);
    return std::nullopt;
  }
  auto out = single(v->number());
  demand(out.has_value(), name, quoted(name) + " is beyond single precision");
  return out;
}

std::optional<std::int64_t> field_reader::integer(std::string_view name) {
  auto v = raw(name);
  if (!v) return std::nullopt;
  if (auto i = v->whole()) return *i;
  constexpr double one_past = 9223372036854775808.0;
  if (v->is_number() && std::abs(v->number()) >= one_past)
    demand(false, name, quoted(name) + (v->number() > 0 ? " is too large" : " is too small"));
  else
    wrong_type(name, "an integer", *v);
  return std::nullopt;
}

std::optional<std::uint64_t> field_reader::unsigned_integer(std::string_view name) {
  auto v = raw(name);
  if (!v) return std::nullopt;
  if (auto u = v->unsigned_whole()) return *u;
  constexpr double one_past = 18446744073709551616.0;
  if (v->is_number() && v->number() >= one_past)
    demand(false, name, quoted(name) + " is too large");
  else
    wrong_type(name, "an unsigned integer of 64 bits", *v);
  return std::nullopt;
}

}  // namespace lorica
