#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lorica {

/// What the first bytes of a text are in UTF-8 (RFC 3629: no surrogates, no overlongs).
struct utf8_head {
  std::size_t need = 0;  ///< length that the lead byte announces; 0 when no sequence begins with it
  std::size_t good = 0;  ///< how many bytes fit a valid sequence

  /// A whole valid sequence of `need` bytes.
  constexpr bool valid() const noexcept { return need != 0 && good == need; }

  /// Bytes that one U+FFFD stands for: the maximal subpart of an ill-formed sequence (Unicode 15, 3.9).
  constexpr std::size_t subpart() const noexcept { return good == 0 ? 1 : good; }
};

/// Looks at the first sequence of `s`, which may be cut off anywhere.
constexpr utf8_head utf8_scan(std::string_view s) noexcept {
  if (s.empty()) return {};
  auto at = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(s[i])); };
  unsigned lead = at(0);
  if (lead < 0x80) return {1, 1};
  if (lead < 0xc2 || lead > 0xf4) return {};
  utf8_head head{lead < 0xe0 ? 2u : lead < 0xf0 ? 3u : 4u, 1};
  // Only the second byte has a narrower range than 80..BF.
  unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  while (head.good < head.need && head.good < s.size() && at(head.good) >= low && at(head.good) <= high) {
    ++head.good;
    low = 0x80;
    high = 0xbf;
  }
  return head;
}

/// Length of the valid sequence at the start of `s`, 0 if there is none.
constexpr std::size_t utf8_length(std::string_view s) noexcept {
  auto head = utf8_scan(s);
  return head.valid() ? head.need : 0;
}

/// True for every byte that does not begin a character of valid UTF-8.
constexpr bool utf8_is_tail(char byte) noexcept {
  return (static_cast<unsigned char>(byte) & 0xc0u) == 0x80u;
}

/// The code point at the start of valid, non-empty UTF-8.
constexpr char32_t utf8_decode(std::string_view s) noexcept {
  auto at = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(s[i])); };
  switch (utf8_scan(s).need) {
    case 2: return (at(0) & 0x1f) << 6 | (at(1) & 0x3f);
    case 3: return (at(0) & 0x0f) << 12 | (at(1) & 0x3f) << 6 | (at(2) & 0x3f);
    case 4: return (at(0) & 0x07) << 18 | (at(1) & 0x3f) << 12 | (at(2) & 0x3f) << 6 | (at(3) & 0x3f);
    default: return at(0);
  }
}

/// Where the last character of valid UTF-8 begins; 0 for an empty text.
constexpr std::size_t utf8_last(std::string_view s) noexcept {
  auto begin = s.empty() ? 0 : s.size() - 1;
  while (begin > 0 && utf8_is_tail(s[begin]))
    --begin;
  return begin;
}

/// Appends one code point (a scalar value) to `out`.
inline void utf8_append(std::string& out, char32_t c) {
  auto tail = [&](unsigned shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xc0 | c >> 6), tail(0)};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  } else {
    out += {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
  }
}

/// U+FFFD, what stands for bytes that are no UTF-8.
inline constexpr std::string_view utf8_replacement = "\xef\xbf\xbd";

/// Length of the longest valid prefix of `s`.
constexpr std::size_t utf8_valid_prefix(std::string_view s) noexcept {
  std::size_t at = 0;
  while (at < s.size()) {
    auto length = utf8_length(s.substr(at, 4));
    if (length == 0) break;
    at += length;
  }
  return at;
}

/// `s` with one U+FFFD for each maximal subpart of an ill-formed sequence.
inline std::string utf8_repaired(std::string_view s) {
  std::string out;
  out.reserve(s.size());
  while (true) {
    auto good = utf8_valid_prefix(s);
    out += s.substr(0, good);
    s.remove_prefix(good);
    if (s.empty()) return out;
    out += utf8_replacement;
    s.remove_prefix(utf8_scan(s.substr(0, 4)).subpart());
  }
}

}  // namespace lorica
