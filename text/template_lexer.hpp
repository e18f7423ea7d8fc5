#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/template_value.hpp"

namespace lorica::jinja {

/// Kinds of tokens. `sign` is an operator or a bracket, with its characters as text.
enum class token_kind : std::uint8_t {
  data,            ///< text between tags, white space control applied
  block_begin,     ///< `{%`
  block_end,       ///< `%}`
  variable_begin,  ///< `{{`
  variable_end,    ///< `}}`
  name,
  string,
  integer,
  real,
  sign,
  end
};

struct token {
  token_kind kind = token_kind::end;
  std::string text;  ///< data, name, sign; the value of a string
  datum number;      ///< of integer and real
  std::uint32_t line = 1;

  bool is_name(std::string_view word) const { return kind == token_kind::name && text == word; }
  bool is_sign(std::string_view characters) const { return kind == token_kind::sign && text == characters; }
};

/// Cuts a template as Jinja does with `trim_blocks` and `lstrip_blocks`: line ends become `\n`, the last one
/// goes, comments and raw blocks are resolved. Ends with a token of kind `end`. Throws `syntax_failure`.
std::vector<token> tokens_of(std::string_view source);

/// What is wrong with the text of a template, and where.
class syntax_failure : public std::exception {
 public:
  syntax_failure(std::uint32_t line, const std::string& what)
      : text_("line " + std::to_string(line) + ": " + what) {}
  const std::string& text() const noexcept { return text_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

/// The value of a string literal: Python's escapes. Throws `syntax_failure`.
std::string unescaped(std::string_view literal, std::uint32_t line);

}  // namespace lorica::jinja
