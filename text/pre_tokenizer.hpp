#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/regex.hpp"

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

/// One step that cuts pieces into smaller ones.
struct split_rule {
  std::string pattern;
  split_behaviour behaviour = split_behaviour::isolated;
  bool invert = false;  ///< the pattern tells what is between the matches
};

/// A stretch of text in bytes.
struct text_piece {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool space_before = false;  ///< the model sees a space in front that the text does not hold
};

/// Cuts text into the pieces that merges never cross. Immutable.
class pre_tokenizer {
 public:
  struct options {
    std::vector<split_rule> rules;
    bool add_prefix_space = false;       ///< pieces left by `rules` get a space in front if they lack one
    std::vector<split_rule> late_rules;  ///< act after that space came
  };

  /// `errc::bad_model` when a pattern is not supported.
  static result<pre_tokenizer> compile(const options& o);

  /// Pieces of valid UTF-8, in order, none empty. Fails when a pattern reaches its match limit.
  result<std::vector<text_piece>> split(std::string_view text) const;

 private:
  struct splitter {
    regex pattern;
    split_behaviour behaviour;
    bool invert;
  };
  struct stretch {
    std::size_t begin;
    std::size_t end;
    bool match;
  };
  using pieces = std::vector<text_piece>;

  static result<std::vector<splitter>> compile(const std::vector<split_rule>& rules);
  static result<std::vector<stretch>> matches(const splitter& s, std::string_view text);
  static result<pieces> apply(const std::vector<splitter>& splitters, std::string_view text);
  result<pieces> split_spaced(std::string_view text, text_piece piece) const;

  std::vector<splitter> rules_;
  bool add_prefix_space_ = false;
  std::vector<splitter> late_rules_;
};

}  // namespace lorica
