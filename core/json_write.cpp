#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>

#include "core/json.hpp"
#include "core/utf8.hpp"

namespace lorica {
namespace {

// Sequences that event-stream readers take for line ends although JSON allows them.
std::string_view line_end_escape(std::string_view sequence) {
  if (sequence == "\xc2\x85") return "\\u0085";
  if (sequence == "\xe2\x80\xa8") return "\\u2028";
  if (sequence == "\xe2\x80\xa9") return "\\u2029";
  return {};
}

void append_ascii(std::string& out, char c) {
  static constexpr char digits[] = "0123456789abcdef";
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x20 && byte != 0x7f) {
    out += c;
    return;
  }
  out += "\\u00";
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (std::size_t i = 0; i < text.size();) {
    auto length = utf8_length(text.substr(i, 4));
    if (length == 0) {
      out += utf8_replacement;
      ++i;
      continue;
    }
    auto sequence = text.substr(i, length);
    if (length == 1)
      append_ascii(out, sequence[0]);
    else if (auto escape = line_end_escape(sequence); !escape.empty())
      out += escape;
    else
      out += sequence;
    i += length;
  }
  out += '"';
}

void append_json_number(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  std::array<char, 32> digits{};
  auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void json_writer::separate() {
  if (comma_) out_ += ',';
  comma_ = true;
}

json_writer& json_writer::begin_object() {
  separate();
  out_ += '{';
  comma_ = false;
  return *this;
}

json_writer& json_writer::end_object() {
  out_ += '}';
  comma_ = true;
  return *this;
}

json_writer& json_writer::begin_array() {
  separate();
  out_ += '[';
  comma_ = false;
  return *this;
}

json_writer& json_writer::end_array() {
  out_ += ']';
  comma_ = true;
  return *this;
}

json_writer& json_writer::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_ += ':';
  comma_ = false;
  return *this;
}

json_writer& json_writer::string(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

json_writer& json_writer::number(double n) {
  separate();
  append_json_number(out_, n);
  return *this;
}

json_writer& json_writer::integer(std::int64_t n) {
  separate();
  out_ += std::to_string(n);
  return *this;
}

json_writer& json_writer::unsigned_integer(std::uint64_t n) {
  separate();
  out_ += std::to_string(n);
  return *this;
}

json_writer& json_writer::boolean(bool b) {
  separate();
  out_ += b ? "true" : "false";
  return *this;
}

json_writer& json_writer::null() {
  separate();
  out_ += "null";
  return *this;
}

std::string json_writer::take() {
  comma_ = false;
  return std::exchange(out_, {});
}

}  // namespace lorica
