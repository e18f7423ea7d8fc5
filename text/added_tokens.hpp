#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// A token that is looked for in the text before the model sees it.
struct added_token {
  token_id id = 0;
  std::string content;
  bool single_word = false;  ///< matches only between non-word characters
  bool lstrip = false;       ///< swallows white space before it
  bool rstrip = false;       ///< swallows white space after it
  bool normalized = false;   ///< looked for in the normalised text
  bool special = false;      ///< dropped by `skip_special_tokens`
};

/// Finds added tokens in a text: leftmost, then longest. Immutable. Time is text times the longest token at
/// worst, linear in practice because few positions begin a token.
class added_token_matcher {
 public:
  /// Of equal contents the first counts; empty ones never match.
  explicit added_token_matcher(std::vector<added_token> tokens);

  /// A stretch of the text: an added token, or text between them. Bytes.
  struct section {
    std::size_t begin = 0;
    std::size_t end = 0;
    std::optional<token_id> token;
  };

  /// Says whether the bytes [begin, end) may be a token.
  using permission = std::function<bool(std::size_t begin, std::size_t end)>;

  /// Cuts valid UTF-8 into sections, none of them empty. Where `allowed` is given, a token is found only in
  /// bytes that it permits; the longest of those.
  std::vector<section> cut(std::string_view text, const permission& allowed = {}) const;

 private:
  struct node {
    std::vector<std::pair<unsigned char, std::uint32_t>> children;  ///< ascending by byte
    std::optional<std::uint32_t> token;
  };
  struct hit {
    std::size_t end = 0;
    std::uint32_t token = 0;
  };

  void insert(std::string_view content, std::uint32_t token);
  std::optional<hit> longest(std::string_view text, std::size_t begin, const permission& allowed) const;

  std::vector<added_token> tokens_;
  std::vector<node> nodes_;  ///< a trie by bytes, root first
  std::array<bool, 256> begins_{};
};

}  // namespace lorica
