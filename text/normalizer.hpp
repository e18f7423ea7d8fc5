#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "text/replacement.hpp"
#include "text/traced_text.hpp"
#include "text/unicode.hpp"

namespace lorica {

/// Puts a text in front of every text that is not empty.
struct prepend_step {
  std::string text;
};

/// Takes white space away at the ends.
struct strip_step {
  bool left = false;
  bool right = false;
};

struct lower_case_step {};

/// What is done to a text, in order, before it is cut into pieces. Immutable.
class normalizer {
 public:
  using step = std::variant<prepend_step, replacement::source, strip_step, unicode_form, lower_case_step>;

  /// A step that is ready to be done.
  using compiled = std::variant<prepend_step, replacement, strip_step, unicode_form, lower_case_step>;

  /// `errc::bad_model` when a pattern is not supported.
  static result<normalizer> compile(const std::vector<step>& steps);

  /// `text` is valid UTF-8. Fails when a limit of a pattern or of the normalisation is reached.
  result<void> apply(traced_text& text) const;

 private:
  std::vector<compiled> steps_;
};

}  // namespace lorica
