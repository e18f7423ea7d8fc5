#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lorica {

/// A JSON value as plain data: what parsers hand over and what travels between rooms. Objects keep the order
/// of the file and unique keys. Built only by `parse_json`, which bounds depth and count.
class value {
 public:
  using array = std::vector<value>;
  using member = std::pair<std::string, value>;
  using object = std::vector<member>;

  value() = default;
  explicit value(bool b) : data_(b) {}
  explicit value(std::int64_t i) : data_(i) {}
  explicit value(std::uint64_t u) : data_(u) {}
  explicit value(double d) : data_(d) {}
  explicit value(std::string s) : data_(std::move(s)) {}
  explicit value(array a) : data_(std::move(a)) {}
  explicit value(object o) : data_(std::move(o)) {}

  bool is_null() const noexcept { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const noexcept { return std::holds_alternative<bool>(data_); }
  /// Whole number; `as_int` gives it when it fits int64 (values above 2^63-1 are held as uint64).
  bool is_integer() const noexcept { return as_int() != nullptr || as_uint() != nullptr; }
  bool is_number() const noexcept { return is_integer() || std::holds_alternative<double>(data_); }

  const bool* as_bool() const noexcept { return std::get_if<bool>(&data_); }
  const std::int64_t* as_int() const noexcept { return std::get_if<std::int64_t>(&data_); }
  const std::uint64_t* as_uint() const noexcept { return std::get_if<std::uint64_t>(&data_); }
  const std::string* as_string() const noexcept { return std::get_if<std::string>(&data_); }
  const array* as_array() const noexcept { return std::get_if<array>(&data_); }
  const object* as_object() const noexcept { return std::get_if<object>(&data_); }

  /// A whole number that fits int64, however it is written: 5, 5.0 and 5e0 are one number in JSON. A double
  /// of -2^63 may stand for less, so it is none.
  std::optional<std::int64_t> whole() const noexcept {
    if (auto i = as_int()) return *i;
    constexpr double past = 9223372036854775808.0;
    auto d = std::get_if<double>(&data_);
    if (!d || !(*d > -past && *d < past) || std::trunc(*d) != *d) return std::nullopt;
    return static_cast<std::int64_t>(*d);
  }

  /// The same for whole numbers from 0 that fit uint64.
  std::optional<std::uint64_t> unsigned_whole() const noexcept {
    if (auto u = as_uint()) return *u;
    if (auto i = whole()) return *i >= 0 ? std::optional(static_cast<std::uint64_t>(*i)) : std::nullopt;
    constexpr double past = 18446744073709551616.0;
    auto d = std::get_if<double>(&data_);
    if (!d || !(*d >= 0 && *d < past) || std::trunc(*d) != *d) return std::nullopt;
    return static_cast<std::uint64_t>(*d);
  }

  /// Any number as double; 0 for other kinds (test `is_number` first).
  double number() const noexcept {
    if (auto i = as_int()) return static_cast<double>(*i);
    if (auto u = as_uint()) return static_cast<double>(*u);
    if (auto d = std::get_if<double>(&data_)) return *d;
    return 0;
  }

  /// Member of an object; null when absent, when null, or when this is no object (null means "absent"
  /// everywhere).
  const value* find(std::string_view key) const noexcept {
    auto o = as_object();
    if (!o) return nullptr;
    for (auto& [name, v] : *o)
      if (name == key) return v.is_null() ? nullptr : &v;
    return nullptr;
  }

  /// "null", "boolean", "number", "string", "array", "object": for error texts.
  std::string_view kind() const noexcept {
    if (is_null()) return "null";
    if (is_bool()) return "boolean";
    if (is_number()) return "number";
    if (as_string()) return "string";
    return as_array() ? "array" : "object";
  }

 private:
  // uint64 is used only above the int64 range, so a number has one representation.
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, array, object> data_;
};

}  // namespace lorica
