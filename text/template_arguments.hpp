#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/template_value.hpp"

namespace lorica::jinja {

/// What a call hands over, `*` and `**` already spread.
struct call_arguments {
  items positional;
  std::vector<std::pair<std::string, datum>> named;

  const datum* find(std::string_view name) const;
};

/// The arguments of a call in the order of a function's parameters; those not given are missing. Fails as
/// Python does for too many, unknown, doubled and lacking ones.
class bound_arguments {
 public:
  bound_arguments(const call_arguments& given, std::string_view function,
                  std::initializer_list<std::string_view> parameters, std::size_t required = 0);

  bool given(std::size_t index) const { return !values_[index].missing(); }
  const datum& at(std::size_t index) const { return values_[index]; }
  /// The argument, or what it is when not given.
  datum value(std::size_t index, datum fallback) const;
  bool truth(std::size_t index, bool fallback) const;
  std::optional<integer> whole(std::size_t index) const;  ///< nothing when not given; TypeError for others
  std::int64_t whole(std::size_t index, std::int64_t fallback) const;
  /// A string; TypeError for others.
  const template_text& text(std::size_t index) const;

 private:
  std::string function_;
  items values_;
};

}  // namespace lorica::jinja
