#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/value.hpp"

namespace lorica {

/// Bounds of one document; every one of them is an `errc::malformed` when passed.
struct json_limits {
  std::size_t max_bytes = 2'000'000;
  std::size_t max_depth = 64;
  std::size_t max_values = 1'000'000;
};

/// Reads a whole document. Refuses duplicate keys, invalid UTF-8, trailing bytes, NaN, numbers over 64
/// characters and numbers beyond double precision; whole numbers beyond 64 bits become doubles.
result<value> parse_json(std::string_view text, const json_limits& limits = {});

/// Appends `text` as a JSON string with quotes. Control characters and U+0085, U+2028, U+2029 leave as \uXXXX
/// (readers of event streams split lines there); invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// Appends a number so that it reads back equal; NaN and infinities, which JSON lacks, become null.
void append_json_number(std::string& out, double number);

/// Writes a document front to back, commas included. The caller balances begin and end.
class json_writer {
 public:
  json_writer& begin_object();
  json_writer& end_object();
  json_writer& begin_array();
  json_writer& end_array();
  json_writer& key(std::string_view name);
  json_writer& string(std::string_view text);
  json_writer& number(double n);
  json_writer& integer(std::int64_t n);
  json_writer& unsigned_integer(std::uint64_t n);
  json_writer& boolean(bool b);
  json_writer& null();

  /// The text so far; leaves the writer empty.
  std::string take();

 private:
  void separate();

  std::string out_;
  bool comma_ = false;
};

}  // namespace lorica
