#include "model/json_fields.hpp"

#include "model/config_checks.hpp"

namespace lorica {

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

void json_fields::refuse(const std::string& text) {
  if (!failure_) failure_ = refuse_model(where_ + ": " + text);
}

}  // namespace lorica
