#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "text/traced_text.hpp"

namespace lorica {

/// Property White_Space.
bool is_white_space(char32_t c);

/// The end of the white space that begins at `at` of valid UTF-8; `at` where there is none.
std::size_t white_space_end(std::string_view text, std::size_t at);

/// The begin of the white space that ends at `end` of valid UTF-8, not below `floor`; `end` where there is
/// none.
std::size_t white_space_begin(std::string_view text, std::size_t end, std::size_t floor);

/// What `\w` means in Unicode: Alphabetic, marks, decimal digits, connector punctuation, join controls.
bool is_word_character(char32_t c);

/// What Python's `str.isspace`, `strip` and `split` take for white space: White_Space and U+001C..U+001F.
bool is_python_space(char32_t c);

/// What Python's `repr` shows as it is (`str.isprintable`).
bool is_printable(char32_t c);

/// Character classes of Python's `str.is…`: letters, decimal digits, digits, numbers.
bool is_alphabetic(char32_t c);
bool is_decimal(char32_t c);
bool is_digit(char32_t c);
bool is_numeric(char32_t c);

/// 0 to 9 for a decimal digit of any script.
std::optional<int> decimal_value(char32_t c);

/// Begin and rest of an identifier (UAX 31, with `_`).
bool begins_identifier(char32_t c);
bool continues_identifier(char32_t c);

/// Cases for `islower`, `isupper`, `istitle` and for the form of a final sigma.
enum class letter_case : std::uint8_t { none, lower, upper, title };
letter_case case_of(char32_t c);
bool is_cased(char32_t c);
bool is_case_ignorable(char32_t c);

/// The full mappings of one character, without regard to those around it: up to three characters.
std::string full_lower(char32_t c);
std::string full_upper(char32_t c);
std::string full_title(char32_t c);
std::string full_fold(char32_t c);

/// Normalisation forms: canonical or compatible, composed or decomposed.
enum class unicode_form : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// Valid UTF-8 below 2 GiB in a form, for the characters that Unicode 9 has.
result<edited_text> normalised(std::string_view text, unicode_form form);

/// Each character's full lower case, without regard to those around it.
edited_text lower_case(std::string_view text);

}  // namespace lorica
