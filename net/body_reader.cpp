#include "net/body_reader.hpp"

#include <algorithm>

#include "net/header_lines.hpp"

namespace lorica {
namespace {

// Many tiny chunks cost more work than their bytes are worth.
constexpr std::uint64_t tolerated_chunks = 4096;
constexpr std::uint64_t least_chunk_bytes = 16;
constexpr std::uint32_t most_digits = 16;
constexpr std::uint32_t extension_limit = 256;
constexpr std::uint32_t extensions_limit = 4096;
constexpr std::uint32_t trailer_limit = 8 * 1024;
constexpr std::uint32_t most_trailers = 100;

protocol_error malformed(std::string why) {
  return {400, fail(errc::malformed, std::move(why))};
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}

}  // namespace

body_reader body_reader::of_length(std::uint64_t bytes) {
  body_reader out;
  out.left_ = bytes;
  out.at_ = bytes > 0 ? state::data : state::done;
  return out;
}

body_reader body_reader::in_chunks(std::uint64_t most) {
  body_reader out;
  out.chunked_ = true;
  out.most_ = most;
  out.at_ = state::size;
  return out;
}

std::optional<protocol_error> body_reader::read(std::string_view& bytes, std::string& into) {
  while (!bytes.empty() && !done()) {
    if (at_ != state::data) {
      if (auto why = take(bytes.front(), into.size())) return why;
      bytes.remove_prefix(1);
      continue;
    }
    auto piece = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
    into.append(piece);
    bytes.remove_prefix(piece.size());
    left_ -= piece.size();
    if (left_ == 0) at_ = chunked_ ? state::data_cr : state::done;
  }
  return std::nullopt;
}

std::optional<protocol_error> body_reader::take(char c, std::uint64_t body_so_far) {
  switch (at_) {
    case state::size: return take_size(c);
    case state::before_ext:
    case state::extension:
    case state::quoted:
    case state::escaped: return take_extension(c);
    case state::size_end:
      if (c != '\n') return malformed("A chunk's size must end with CRLF");
      return begin_chunk(body_so_far);
    case state::data_cr:
    case state::data_lf:
      if (c != (at_ == state::data_cr ? '\r' : '\n')) return malformed("A chunk must end with CRLF");
      at_ = at_ == state::data_cr ? state::data_lf : state::size;
      return std::nullopt;
    default: return take_trailer(c);
  }
}

std::optional<protocol_error> body_reader::take_size(char c) {
  int digit = hex_digit(c);
  if (digit >= 0) {
    if (++digits_ > most_digits) return malformed("A chunk's size has more than 16 digits");
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    return std::nullopt;
  }
  if (digits_ == 0) return malformed("A chunk's size must be hexadecimal digits");
  if (c == '\r')
    at_ = state::size_end;
  else if (c == ';' || is_blank(c))
    return take_extension(c);
  else
    return malformed("A chunk's size must be hexadecimal digits");
  return std::nullopt;
}

std::optional<protocol_error> body_reader::take_extension(char c) {
  if (at_ == state::size) at_ = state::before_ext;
  bool quoted = at_ == state::quoted || at_ == state::escaped;
  if (c == '\r' && at_ == state::extension) {
    at_ = state::size_end;
    return std::nullopt;
  }
  if (++extension_ > extension_limit || ++extensions_ > extensions_limit)
    return malformed("Chunk extensions are longer than 256 bytes, or 4 KiB together");
  if (!is_field_char(c)) return malformed("A chunk extension holds a control character");
  if (at_ == state::before_ext) {
    if (c != ';' && !is_blank(c)) return malformed("A chunk's size must be hexadecimal digits");
    if (c == ';') at_ = state::extension;
  } else if (at_ == state::escaped) {
    at_ = state::quoted;
  } else if (c == '"') {
    at_ = quoted ? state::extension : state::quoted;
  } else if (quoted && c == '\\') {
    at_ = state::escaped;
  }
  return std::nullopt;
}

std::optional<protocol_error> body_reader::begin_chunk(std::uint64_t body_so_far) {
  if (left_ > most_ || body_so_far > most_ - left_) return body_too_large(most_);
  digits_ = extension_ = 0;
  at_ = left_ > 0 ? state::data : state::trailer_begin;
  if (left_ > 0 && ++chunks_ > tolerated_chunks && body_so_far / chunks_ < least_chunk_bytes)
    return malformed("The body comes in too many tiny chunks");
  return std::nullopt;
}

std::optional<protocol_error> body_reader::take_trailer(char c) {
  if (at_ == state::trailer_end || at_ == state::last_lf) {
    if (c != '\n') return malformed("A trailer must end with CRLF");
    at_ = at_ == state::last_lf ? state::done : state::trailer_begin;
    return std::nullopt;
  }
  if (at_ == state::trailer_begin && c == '\r') {
    at_ = state::last_lf;
    return std::nullopt;
  }
  bool begins = at_ == state::trailer_begin;
  if (++trailer_bytes_ > trailer_limit || (begins && ++trailers_ > most_trailers))
    return protocol_error{431, fail(errc::header_too_large, "The trailers are above 8 KiB or 100 fields")};
  if (at_ == state::trailer_value) {
    if (c == '\r')
      at_ = state::trailer_end;
    else if (!is_field_char(c))
      return malformed("A trailer holds a control character");
    return std::nullopt;
  }
  if (c == ':' && !begins)
    at_ = state::trailer_value;
  else if (is_token_char(c))
    at_ = state::trailer_name;
  else
    return malformed("A trailer has no name");
  return std::nullopt;
}

}  // namespace lorica
