#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/ids.hpp"
#include "text/token_decoder.hpp"

namespace lorica {

/// Ids to bytes, added tokens included. Filled by one loader, then immutable.
class vocabulary {
 public:
  /// Ids from here on are refused: an id decides how much memory its table takes.
  static constexpr token_id id_limit = 1 << 22;

  /// Longest token in bytes, as text in the file and decoded.
  static constexpr std::size_t text_limit = 65535;

  /// Enters a token by its text in the file. `errc::bad_model` when the id is out of range or taken, or the
  /// text is too long or no UTF-8.
  result<void> add(token_id id, std::string_view text, const token_decoder& decoder);

  /// As `add`, in place of what the id stood for.
  result<void> replace(token_id id, std::string_view text, const token_decoder& decoder);

  void mark_special(token_id id);

  /// Bytes the token decodes to; empty for ids outside the vocabulary. Valid until the next `add`.
  std::string_view bytes(token_id id) const noexcept;

  /// Those of the token that begins a text.
  std::string_view first_bytes(token_id id) const noexcept;

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
    std::size_t begin = 0;        // in the arena
    std::size_t first_begin = 0;  // of `first_bytes`
    std::uint16_t length = 0;
    std::uint16_t first_length = 0;
    margins spaces;
    bool used = false;
    bool special = false;
  };

  const entry* find(token_id id) const noexcept;

  std::string arena_;
  std::vector<entry> entries_;
};

}  // namespace lorica
