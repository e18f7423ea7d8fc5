#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "text/replacement.hpp"

namespace lorica {

/// Takes up to `count` of a character away at the start of a token.
struct strip_start {
  std::string character;
  std::size_t count = 0;
};

/// Which of its symbols the token that begins a text loses.
enum class lost_symbols : std::uint8_t {
  none,
  leading,  ///< one in front
  all,
};

/// A symbol becomes a space.
struct symbol_to_space {
  std::string symbol;
  lost_symbols lost_in_first = lost_symbols::none;
};

/// Which texts of tokens stand for raw bytes.
enum class byte_notation : std::uint8_t {
  none,
  alphabet,  ///< those that hold nothing but characters of the byte alphabet
  tokens,    ///< `<0xXX>`
};

/// What the text of a token in a file stands for. Immutable.
class token_decoder {
 public:
  using step = std::variant<replacement::source, strip_start, symbol_to_space>;

  struct options {
    std::vector<step> steps;  ///< on each token, in order
    byte_notation notation = byte_notation::none;
    std::optional<char> strip_first;  ///< taken away once where a text begins with it
  };

  struct meaning {
    std::string bytes;
    std::string first;  ///< of the token that begins a text
  };

  /// `errc::bad_model` when a pattern is not supported.
  static result<token_decoder> compile(const options& o);

  /// `token` is valid UTF-8. Fails when a match limit of a pattern is reached.
  result<meaning> decode(std::string_view token) const;

 private:
  using compiled = std::variant<replacement, strip_start, symbol_to_space>;

  std::vector<compiled> steps_;
  byte_notation notation_ = byte_notation::none;
  std::optional<char> strip_first_;
};

}  // namespace lorica
