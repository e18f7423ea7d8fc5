#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/regex.hpp"

namespace lorica {

/// What a tokenizer file looks for in a text.
struct pattern_source {
  std::string text;
  bool literal = false;  ///< `text` itself, not an expression; not empty then
};

/// A part of a text in bytes: a match, or what lies between two.
struct text_stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool match = false;
};

/// Finds the matches of a pattern, front to back. Immutable.
class text_pattern {
 public:
  /// `errc::bad_model` when the expression is not supported.
  static result<text_pattern> compile(const pattern_source& source);

  /// Matches and what is between them, in order; matches may be empty, what is between them is not. An empty
  /// match right behind another one does not count, nor does one in an empty text. `text` is valid UTF-8.
  /// Fails when a match limit is reached.
  result<std::vector<text_stretch>> cut(std::string_view text) const;

 private:
  std::vector<text_stretch> cut_literal(std::string_view text) const;

  std::string literal_;  // when there is no expression
  std::optional<regex> expression_;
};

}  // namespace lorica
