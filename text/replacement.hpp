#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"
#include "text/text_pattern.hpp"
#include "text/traced_text.hpp"

namespace lorica {

/// Puts a text for every match of a pattern. Immutable.
class replacement {
 public:
  struct source {
    pattern_source pattern;
    std::string content;  ///< as it is: nothing in it refers to the match
  };

  /// `errc::bad_model` when the pattern is not supported.
  static result<replacement> compile(const source& s);

  /// `text` is valid UTF-8. What stands for a match comes from the match's last character, as in the
  /// reference library. Fails when a match limit is reached, or when the text grows beyond 1 GiB.
  result<edited_text> apply(std::string_view text) const;

 private:
  replacement(text_pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}

  text_pattern pattern_;
  std::string content_;
};

}  // namespace lorica
