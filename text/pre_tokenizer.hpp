#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "text/text_pattern.hpp"
#include "text/traced_text.hpp"

namespace lorica {

/// GPT-2's pattern, which ByteLevel uses.
inline constexpr std::string_view gpt2_pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// What becomes of the stretches that a pattern matches.
enum class split_behaviour : std::uint8_t {
  isolated,              ///< each match is a piece
  removed,               ///< matches are dropped
  merged_with_previous,  ///< a match ends the piece before it
  merged_with_next,      ///< a match begins the piece after it
  contiguous,            ///< neighbouring matches are one piece
};

/// Cuts pieces into smaller ones.
struct split_rule {
  pattern_source pattern;
  split_behaviour behaviour = split_behaviour::isolated;
  bool invert = false;  ///< the pattern tells what is between the matches
};

/// Which pieces get a space in front.
enum class space_prefix : std::uint8_t {
  never,
  first,  ///< the one at the start of the whole text
  always,
};

/// Writes spaces as `symbol`, then puts one in front of pieces that do not begin with it.
struct space_rule {
  std::string symbol = " ";
  space_prefix prefix = space_prefix::always;
};

/// A stretch of text in bytes.
struct text_piece {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Cuts text into the pieces that merges never cross. Immutable.
class pre_tokenizer {
 public:
  using rule = std::variant<split_rule, space_rule>;

  /// `errc::bad_model` when a pattern is not supported.
  static result<pre_tokenizer> compile(const std::vector<rule>& rules);

  /// Pieces of what the rules make of `text` (valid UTF-8), in order, none empty. Fails when a pattern
  /// reaches its match limit.
  result<std::vector<text_piece>> split(traced_text& text) const;

 private:
  struct splitter {
    text_pattern pattern;
    split_behaviour behaviour;
    bool invert;
  };
  using pieces = std::vector<text_piece>;

  static result<pieces> apply(const splitter& s, const pieces& in, std::string_view text);
  static pieces apply(const space_rule& rule, const pieces& in, traced_text& text);

  std::vector<std::variant<splitter, space_rule>> steps_;
};

}  // namespace lorica
