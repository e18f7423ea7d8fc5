#include "model/json_fields.hpp"

#include <algorithm>
#include <cmath>

#include "model/config_checks.hpp"

namespace lorica {

bool json_fields::named(std::string_view key) const noexcept {
  auto object = object_.as_object();
  return object && std::any_of(object->begin(), object->end(), [&](auto& m) { return m.first == key; });
}

std::uint32_t json_fields::size(std::string_view key, std::uint32_t most,
                                std::optional<std::uint32_t> fallback) {
  auto v = find(key);
  if (!v && fallback) return *fallback;
  auto number = v ? v->as_int() : nullptr;
  if (number && *number >= 1 && *number <= most) return static_cast<std::uint32_t>(*number);
  refuse(std::string(key) + (v ? " is not a whole number from 1 to " + std::to_string(most) : " is missing"));
  return 1;
}

double json_fields::real(std::string_view key, double least, double most, std::optional<double> fallback) {
  auto v = find(key);
  if (!v && fallback) return *fallback;
  if (v && v->is_number() && v->number() >= least && v->number() <= most) return v->number();
  refuse(std::string(key) + (v ? " is not a number in its range" : " is missing"));
  return least;
}

bool json_fields::flag(std::string_view key, bool fallback) {
  auto v = find(key);
  if (!v) return fallback;
  if (auto b = v->as_bool()) return *b;
  refuse(std::string(key) + " is a " + std::string(v->kind()) + ", not true or false");
  return fallback;
}

std::string json_fields::text(std::string_view key, std::string_view fallback) {
  auto v = find(key);
  if (!v) return std::string(fallback);
  if (auto s = v->as_string()) return *s;
  refuse(std::string(key) + " is a " + std::string(v->kind()) + ", not a string");
  return std::string(fallback);
}

std::vector<float> json_fields::positive_list(std::string_view key, std::size_t count) {
  std::vector<float> out;
  auto v = find(key);
  auto list = v ? v->as_array() : nullptr;
  if (!list || list->size() != count) {
    refuse(std::string(key) +
           (v ? " is not a list of " + std::to_string(count) + " numbers" : " is missing"));
    return std::vector<float>(count, 1.0f);
  }
  for (auto& item : *list) {
    const auto number = static_cast<float>(item.number());
    if (!item.is_number() || !std::isfinite(number) || number < 1e-6f)
      refuse(std::string(key) + " holds something else than numbers from 0.000001 on");
    out.push_back(number);
  }
  return out;
}

void json_fields::refuse(const std::string& text) {
  if (!failure_) failure_ = refuse_model(where_ + ": " + text);
}

}  // namespace lorica
