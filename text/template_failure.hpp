#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <utility>

namespace lorica::jinja {

/// What Python would have raised, as far as an operation asks (`int` takes its default for some of them).
enum class failure_kind : std::uint8_t {
  type,        ///< TypeError
  value,       ///< ValueError
  overflow,    ///< OverflowError
  lookup,      ///< IndexError, KeyError
  division,    ///< ZeroDivisionError
  undefined,   ///< UndefinedError
  security,    ///< SecurityError
  filter,      ///< FilterArgumentError and TemplateRuntimeError
  raised,      ///< `raise_exception`; the text is the template's
  limit,       ///< a bound of ours
  unsupported  ///< Python knows it, we do not
};

/// Why a template stopped. In Jinja an error is an exception that passes through filters, generators and
/// macros; here too. None leaves the engine: `chat_template` turns it into an `error`.
class failure : public std::exception {
 public:
  failure(failure_kind kind, std::string text) : kind_(kind), text_(std::move(text)) {}

  failure_kind kind() const noexcept { return kind_; }
  const std::string& text() const noexcept { return text_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  failure_kind kind_;
  std::string text_;
};

[[noreturn]] inline void type_error(std::string text) {
  throw failure(failure_kind::type, std::move(text));
}
[[noreturn]] inline void value_error(std::string text) {
  throw failure(failure_kind::value, std::move(text));
}
[[noreturn]] inline void limit_error(std::string text) {
  throw failure(failure_kind::limit, std::move(text));
}

}  // namespace lorica::jinja
