#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/value.hpp"

namespace lorica {

/// Reads the fields of one JSON object and remembers the first one that is wrong, so that a reader lists its
/// fields and asks once at the end. Null counts as absent. Owned by one call; the object must outlive it.
class json_fields {
 public:
  /// `where` opens every error text: `config.json` or `config.json: rope_parameters`.
  json_fields(const value& object, std::string where) : object_(object), where_(std::move(where)) {}

  bool has(std::string_view key) const { return object_.find(key) != nullptr; }
  const value* find(std::string_view key) const { return object_.find(key); }
  /// True when the key is there, even with null.
  bool named(std::string_view key) const noexcept;

  /// A whole number in [1, most]; absent without `fallback` is an error.
  std::uint32_t size(std::string_view key, std::uint32_t most, std::optional<std::uint32_t> fallback = {});
  /// A finite number in [least, most]; absent without `fallback` is an error.
  double real(std::string_view key, double least, double most, std::optional<double> fallback = {});
  bool flag(std::string_view key, bool fallback);
  std::string text(std::string_view key, std::string_view fallback);
  /// A list of exactly `count` finite numbers, none below 1e-6: they divide.
  std::vector<float> positive_list(std::string_view key, std::size_t count);

  /// Notes a failure unless there is one.
  void refuse(const std::string& text);
  const std::optional<error>& failure() const noexcept { return failure_; }

 private:
  const value& object_;
  std::string where_;
  std::optional<error> failure_;
};

}  // namespace lorica
