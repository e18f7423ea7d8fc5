#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/value.hpp"

namespace lorica {

/// Reads typed fields of a request object; absent and null are the same. A field of the wrong type is refused
/// by name; the first refusal is kept, later reads go on harmlessly. `source` outlives the reader.
class field_reader {
 public:
  /// `source` may be null: then every field is absent.
  explicit field_reader(const value* source) : source_(source) {}

  std::optional<bool> boolean(std::string_view name);
  std::optional<std::string> text(std::string_view name);
  std::optional<std::vector<std::string>> texts(std::string_view name);

  /// Finite numbers of single precision.
  std::optional<std::vector<float>> numbers(std::string_view name);

  /// A string or a list of strings.
  std::optional<std::vector<std::string>> text_or_texts(std::string_view name);

  /// A finite number of single precision.
  std::optional<float> number(std::string_view name);

  std::optional<std::int64_t> integer(std::string_view name);
  std::optional<std::uint64_t> unsigned_integer(std::string_view name);

  /// The field as it is; null when absent.
  const value* raw(std::string_view name) const;

  /// Refuses the first field, null or not, that is not among `known`.
  void only(std::initializer_list<std::string_view> known);

  /// Refuses a field unless `fits`, with a text after TGI's prefix.
  void demand(bool fits, std::string_view name, std::string text);

  /// Keeps a refusal that is made already.
  void refuse(error why);

  /// Refuses a field that is known but not served.
  void not_served(std::string_view name);

  /// As `not_served`, unless the field is absent or one of the values that change nothing: false, 0 or an
  /// empty string, list or object; `neutral` adds a number.
  void not_served_unless_neutral(std::string_view name, std::optional<double> neutral = {});

  /// The first refusal.
  const std::optional<error>& refusal() const noexcept { return refusal_; }

 private:
  void wrong_type(std::string_view name, std::string_view wanted, const value& given);

  const value* source_;
  std::optional<error> refusal_;
};

}  // namespace lorica
