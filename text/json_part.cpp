#include "text/json_part.hpp"

#include <algorithm>

#include "core/checked.hpp"

namespace lorica {

json_part::json_part(const value* object, std::string place, first_problem& problem)
    : object_(object), place_(std::move(place)), problem_(&problem) {
  if (!object_ || object_->as_object()) return;
  problem_->add(place_ + " is a " + std::string(object_->kind()) + ", not an object");
  object_ = nullptr;
}

void json_part::refuse(std::string_view what) const {
  problem_->add(place_ + " " + std::string(what));
}

void json_part::wrong_kind(std::string_view field, std::string_view wanted) const {
  problem_->add(place_ + "." + std::string(field) + " must be " + std::string(wanted));
}

void json_part::allow(std::initializer_list<std::string_view> fields) {
  if (!object_) return;
  for (auto& [name, v] : *object_->as_object())
    if (std::find(fields.begin(), fields.end(), name) == fields.end())
      refuse("has the unknown field '" + name.substr(0, 40) + "'");
}

const value* json_part::find(std::string_view field) const {
  return object_ ? object_->find(field) : nullptr;
}

bool json_part::flag(std::string_view field) const {
  if (!find(field)) wrong_kind(field, "true or false");
  return flag(field, false);
}

bool json_part::flag(std::string_view field, bool fallback) const {
  auto v = find(field);
  if (!v) return fallback;
  if (auto b = v->as_bool()) return *b;
  wrong_kind(field, "true or false");
  return fallback;
}

std::optional<std::string> json_part::optional_text(std::string_view field) const {
  auto v = find(field);
  if (!v) return std::nullopt;
  if (auto s = v->as_string()) return *s;
  wrong_kind(field, "a string");
  return std::nullopt;
}

std::string json_part::text(std::string_view field) const {
  if (!find(field)) wrong_kind(field, "a string");
  return optional_text(field).value_or("");
}

token_id json_part::id(std::string_view field) const {
  auto v = find(field);
  auto number = v ? v->as_int() : nullptr;
  auto id = number ? checked_cast<token_id>(*number) : std::nullopt;
  if (id && *id >= 0) return *id;
  wrong_kind(field, "a token id");
  return 0;
}

const value::array& json_part::list(std::string_view field) const {
  static const value::array nothing;
  auto v = find(field);
  if (v && v->as_array()) return *v->as_array();
  wrong_kind(field, "a list");
  return nothing;
}

json_part json_part::child(std::string_view field) const {
  return {find(field), place_.empty() ? std::string(field) : place_ + "." + std::string(field), *problem_};
}

json_part json_part::item(std::string_view list, std::size_t index, const value& v) const {
  return {&v, place_ + "." + std::string(list) + "[" + std::to_string(index) + "]", *problem_};
}

}  // namespace lorica
