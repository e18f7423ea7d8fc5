#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace lorica {

/// The character that stands for a byte in byte-level vocabularies (GPT-2's `bytes_to_unicode`): bytes
/// 33-126, 161-172 and 174-255 stand for themselves, the others for U+0100 and up in order. As UTF-8.
std::string byte_symbol(unsigned char byte);

/// The bytes that a token text of such a vocabulary stands for; nothing when a character is outside the
/// alphabet.
std::optional<std::string> bytes_of_symbols(std::string_view token);

/// How a vocabulary of characters writes a byte that belongs to none of them: `<0xXX>`.
std::string byte_token(unsigned char byte);

/// The byte of such a token; nothing for any other text.
std::optional<unsigned char> byte_of_token(std::string_view token);

}  // namespace lorica
