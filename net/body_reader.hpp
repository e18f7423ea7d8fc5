#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/request_handler.hpp"

namespace lorica {

/// Takes one request's body out of a stream of bytes, by length or in chunks (RFC 9112, 6 and 7.1). Strict:
/// what two readers could understand differently is a 400. Looks at each byte once, keeps nothing but the
/// body and counters; the result does not depend on how the bytes are split. Trailers are checked and
/// dropped.
class body_reader {
 public:
  /// No body at all.
  body_reader() = default;

  /// Exactly `bytes`; `bytes` is within what the caller allows.
  static body_reader of_length(std::uint64_t bytes);

  /// In chunks, together at most `most` bytes.
  static body_reader in_chunks(std::uint64_t most);

  /// Takes what belongs to the body from the front of `bytes` and appends the data to `into`. A refusal is
  /// 400, 413 (more than `most`) or 431 (trailers); nothing may be read afterwards.
  std::optional<protocol_error> read(std::string_view& bytes, std::string& into);

  bool done() const noexcept { return at_ == state::done; }

 private:
  enum class state : std::uint8_t {
    size,           ///< digits of a chunk's size
    before_ext,     ///< blanks between size and extension
    extension,      ///< after a `;`
    quoted,         ///< inside a quoted value of an extension
    escaped,        ///< after a backslash there
    size_end,       ///< LF of the size's line
    data,           ///< bytes of a chunk, or of a body with a length
    data_cr,        ///< CR behind a chunk
    data_lf,        ///< its LF
    trailer_begin,  ///< a trailer line or the last CRLF
    trailer_name,   ///< up to its colon
    trailer_value,  ///< up to its CR
    trailer_end,    ///< LF of a trailer line
    last_lf,        ///< LF of the last CRLF
    done,
  };

  std::optional<protocol_error> take(char c, std::uint64_t body_so_far);
  std::optional<protocol_error> take_size(char c);
  std::optional<protocol_error> take_extension(char c);
  std::optional<protocol_error> take_trailer(char c);
  std::optional<protocol_error> begin_chunk(std::uint64_t body_so_far);

  state at_ = state::done;
  bool chunked_ = false;
  std::uint64_t left_ = 0;  ///< bytes of the chunk or body that are to come; its size while that is read
  std::uint64_t most_ = 0;
  std::uint32_t digits_ = 0;
  std::uint64_t chunks_ = 0;
  std::uint32_t extension_ = 0;   ///< bytes of this chunk's extension
  std::uint32_t extensions_ = 0;  ///< of all so far
  std::uint32_t trailer_bytes_ = 0;
  std::uint32_t trailers_ = 0;
};

}  // namespace lorica
