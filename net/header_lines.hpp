#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/request_handler.hpp"

namespace lorica {

/// Bounds of one request's header, in bytes but for `max_fields`.
struct header_limits {
  std::size_t whole = 32 * 1024;  ///< request line and fields
  std::size_t target = 8 * 1024;
  std::size_t line = 8 * 1024;  ///< one field
  std::size_t max_fields = 100;
};

/// Whether all bytes of a line are there, or only its beginning.
enum class line_part : std::uint8_t { beginning, whole };

/// What is wrong with a request line (RFC 9112, 3), its CRLF left out: 400, 414, 501 for a method longer than
/// any, 505 for another version of HTTP. Of a beginning only what further bytes cannot mend.
std::optional<protocol_error> request_line_refusal(std::string_view line, line_part part,
                                                   const header_limits& limits);

/// The same for a field (RFC 9112, 5): 400 or 431.
std::optional<protocol_error> field_line_refusal(std::string_view line, line_part part,
                                                 const header_limits& limits);

protocol_error header_too_large();
protocol_error body_too_large(std::uint64_t most);

/// A character of a token, such as a method or a field's name (RFC 9110, 5.6.2).
bool is_token_char(char c) noexcept;

/// A character of a field's value: everything but controls; the tab is one of them that may be.
bool is_field_char(char c) noexcept;

}  // namespace lorica
