#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"

namespace lorica {

/// Ids to bytes of a byte-level vocabulary, added tokens included. Filled by one loader, then immutable.
class vocabulary {
 public:
  /// Ids from here on are refused: an id decides how much memory its table takes.
  static constexpr token_id id_limit = 1 << 22;

  /// Longest token text in bytes.
  static constexpr std::size_t text_limit = 65535;

  /// Enters a token by its text in the file. Characters of the byte alphabet stand for bytes, any other text
  /// for itself. `errc::bad_model` when the id is out of range or taken.
  result<void> add(token_id id, std::string_view text);

  void mark_special(token_id id);

  /// Bytes the token decodes to; empty for ids outside the vocabulary. Valid until the next `add`.
  std::string_view bytes(token_id id) const noexcept;

  bool special(token_id id) const noexcept;
  bool holds(token_id id) const noexcept;

  /// Spaces at the two ends of a text, in characters: offsets can be trimmed by them.
  struct margins {
    std::uint32_t leading = 0;
    std::uint32_t trailing = 0;
  };

  /// Those of a token's text in the file.
  margins spaces(token_id id) const noexcept;

  /// Those of any valid UTF-8. White space and the character that stands for a space in the byte alphabet
  /// count.
  static margins spaces_of(std::string_view text) noexcept;

  /// Highest id plus one.
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(entries_.size()); }

 private:
  struct entry {
    std::size_t begin = 0;
    std::uint16_t length = 0;
    margins spaces;
    bool used = false;
    bool special = false;
  };

  const entry* find(token_id id) const noexcept;

  std::string arena_;
  std::vector<entry> entries_;
};

}  // namespace lorica
