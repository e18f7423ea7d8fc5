#pragma once

#include <cstddef>
#include <cstdint>
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

/// Normalisation forms: canonical or compatible, composed or decomposed.
enum class unicode_form : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// Valid UTF-8 below 2 GiB in a form, for the characters that Unicode 9 has.
result<edited_text> normalised(std::string_view text, unicode_form form);

/// Each character's full lower case, without regard to those around it.
edited_text lower_case(std::string_view text);

}  // namespace lorica
