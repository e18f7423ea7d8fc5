#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace lorica {

/// Property White_Space.
bool is_white_space(char32_t c);

/// What `\w` means in Unicode: Alphabetic, marks, decimal digits, connector punctuation, join controls.
bool is_word_character(char32_t c);

/// A text after normalisation, with the way back to the text it was made from. Offsets are bytes.
struct normalised_text {
  /// A stretch that differs; between two of them the texts are equal.
  struct change {
    std::size_t begin = 0, end = 0;          ///< in `text`
    std::size_t old_begin = 0, old_end = 0;  ///< in the text before
  };

  std::string text;
  std::vector<change> changes;  ///< ascending; empty when nothing changed

  /// The piece of the old text that [begin, end) of the new one came from. Changes are taken whole: a
  /// composed character covers all characters it was composed from.
  std::pair<std::size_t, std::size_t> origin(std::size_t begin, std::size_t end) const;
};

/// Canonical composition (NFC) of valid UTF-8 below 2 GiB, of the characters that Unicode 9 has.
result<normalised_text> normalise_nfc(std::string_view text);

}  // namespace lorica
