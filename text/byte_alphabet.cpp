#include "text/byte_alphabet.hpp"

#include <array>
#include <charconv>

#include "core/utf8.hpp"

namespace lorica {
namespace {

constexpr bool stands_for_itself(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
}

constexpr std::array<char32_t, 256> symbols = [] {
  std::array<char32_t, 256> out{};
  char32_t next = 256;
  for (unsigned byte = 0; byte < 256; ++byte)
    out[byte] = stands_for_itself(byte) ? byte : next++;
  return out;
}();

constexpr char32_t symbol_end = 256 + 68;  // 68 bytes do not stand for themselves

// Byte for each symbol, -1 for code points that are none.
constexpr std::array<int, symbol_end> bytes = [] {
  std::array<int, symbol_end> out{};
  for (auto& slot : out)
    slot = -1;
  for (unsigned byte = 0; byte < 256; ++byte)
    out[symbols[byte]] = static_cast<int>(byte);
  return out;
}();

}  // namespace

std::string byte_symbol(unsigned char byte) {
  std::string out;
  utf8_append(out, symbols[byte]);
  return out;
}

std::optional<std::string> bytes_of_symbols(std::string_view token) {
  std::string out;
  out.reserve(token.size());
  while (!token.empty()) {
    auto length = utf8_length(token);
    if (length == 0) return std::nullopt;
    auto c = utf8_decode(token);
    if (c >= symbol_end || bytes[c] < 0) return std::nullopt;
    out += static_cast<char>(bytes[c]);
    token.remove_prefix(length);
  }
  return out;
}

std::string byte_token(unsigned char byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out = "<0x00>";
  out[3] = digits[byte >> 4];
  out[4] = digits[byte & 15];
  return out;
}

std::optional<unsigned char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return std::nullopt;
  unsigned char byte = 0;
  auto end = token.data() + 5;
  auto read = std::from_chars(token.data() + 3, end, byte, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return byte;
}

}  // namespace lorica
