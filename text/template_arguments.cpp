#include "text/template_arguments.hpp"

#include <algorithm>

#include "text/template_operators.hpp"

namespace lorica::jinja {

const datum* call_arguments::find(std::string_view name) const {
  for (auto& [key, value] : named)
    if (key == name) return &value;
  return nullptr;
}

bound_arguments::bound_arguments(const call_arguments& given, std::string_view function,
                                 std::initializer_list<std::string_view> parameters, std::size_t required)
    : function_(function), values_(parameters.size()) {
  if (given.positional.size() > parameters.size())
    type_error(function_ + "() takes at most " + std::to_string(parameters.size()) + " arguments (" +
               std::to_string(given.positional.size()) + " given)");
  std::copy(given.positional.begin(), given.positional.end(), values_.begin());
  for (auto& [name, value] : given.named) {
    auto at = std::find(parameters.begin(), parameters.end(), name);
    if (at == parameters.end())
      type_error(function_ + "() got an unexpected keyword argument '" + name + "'");
    auto& slot = values_[static_cast<std::size_t>(at - parameters.begin())];
    if (!slot.missing()) type_error(function_ + "() got multiple values for argument '" + name + "'");
    slot = value;
  }
  for (std::size_t i = 0; i < required; ++i)
    if (values_[i].missing())
      type_error(function_ + "() missing required argument '" + std::string(parameters.begin()[i]) + "'");
}

datum bound_arguments::value(std::size_t index, datum fallback) const {
  return given(index) ? values_[index] : std::move(fallback);
}

bool bound_arguments::truth(std::size_t index, bool fallback) const {
  return given(index) ? values_[index].truth() : fallback;
}

std::optional<integer> bound_arguments::whole(std::size_t index) const {
  if (!given(index)) return std::nullopt;
  if (values_[index].is_undefined()) use_of_undefined(values_[index]);
  auto i = values_[index].as_integer();
  if (!i)
    type_error("'" + std::string(values_[index].type_name()) +
               "' object cannot be interpreted as an integer in " + function_ + "()");
  return i;
}

std::int64_t bound_arguments::whole(std::size_t index, std::int64_t fallback) const {
  auto i = whole(index);
  return i ? clamped(*i) : fallback;
}

const template_text& bound_arguments::text(std::size_t index) const {
  auto t = values_[index].as_text();
  if (!t) type_error(function_ + "() argument must be str, not " + std::string(values_[index].type_name()));
  return *t;
}

}  // namespace lorica::jinja
