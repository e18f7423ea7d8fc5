#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/ids.hpp"

namespace lorica {

/// A token and the bytes it covers.
struct placed_token {
  token_id id = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// Pair merges by rank over bytes (Sennrich et al., 2016; byte level: GPT-2) or over characters. Immutable.
class bpe {
 public:
  struct merge {
    token_id left = 0, right = 0, joined = 0;
    std::uint32_t rank = 0;  ///< lowest first, leftmost among equals; of one pair the last in the list counts
  };

  static constexpr token_id no_made_up = std::numeric_limits<token_id>::max();

  struct options {
    /// Token of each single character, where pieces begin as characters; absent where they begin as bytes.
    std::optional<std::unordered_map<char32_t, token_id>> characters;
    /// Token of each single byte, -1 where there is none. Where pieces begin as characters, a character
    /// without a token becomes those of its bytes if it has them all.
    std::array<token_id, 256> byte_ids = no_bytes();
    std::vector<merge> merges;
    std::optional<token_id> unknown;  ///< stands for what has no token; that vanishes without it
    bool fuse_unknown = false;        ///< neighbouring unknown ones are one token
    /// Pieces that are one token whatever the merges say (`ignore_merges`), by their bytes.
    std::unordered_map<std::string, token_id> whole_pieces;
    /// Tokens that merges go through only: in the end they give way to the two that would join to them last.
    std::unordered_set<token_id> passing;
    /// Ids from here on are characters that merges know and that have no token.
    token_id made_up = no_made_up;
  };

  static constexpr std::array<token_id, 256> no_bytes() {
    std::array<token_id, 256> out{};
    out.fill(-1);
    return out;
  }

  explicit bpe(options o);

  struct target {
    std::uint32_t rank = 0;
    token_id joined = 0;
  };

  /// What two neighbours merge to.
  const target* find(token_id left, token_id right) const noexcept;

 private:
  friend class bpe_run;

  struct slot {
    std::uint64_t key = empty;
    target to;
  };
  static constexpr std::uint64_t empty = ~std::uint64_t{0};

  token_id token(std::string_view part) const noexcept;
  bool has_bytes(std::string_view character) const noexcept;
  std::size_t home(std::uint64_t key) const noexcept;
  void insert(const merge& m);

  options options_;
  std::vector<slot> slots_;  // open addressing, at most half full
};

/// Applies the merges to one piece after another, reusing its memory. One per encode call; the model outlives
/// it.
class bpe_run {
 public:
  explicit bpe_run(const bpe& model) : model_(&model) {}

  /// Tokens of `piece` (below 4 GiB), offsets in bytes of the piece. Time n log n. Valid until the next call.
  std::span<const placed_token> operator()(std::string_view piece);

 private:
  struct symbol {
    placed_token token;
    std::uint32_t previous = none;
    std::uint32_t next = none;
    bool gone = false;
  };
  struct candidate {
    std::uint32_t rank = 0;
    std::uint32_t left = 0;
    token_id joined = 0;
  };
  static constexpr std::uint32_t none = ~std::uint32_t{0};

  // What a token that merges go through was last seen to join.
  struct parts {
    token_id left = 0, right = 0;
    std::uint32_t left_bytes = 0;
  };

  void load(std::string_view piece);
  bool load_bytes(std::string_view character, std::uint32_t begin);
  void append(placed_token token);
  void consider(std::uint32_t left);
  void join(const candidate& c);
  void emit(const placed_token& token, std::string_view piece);
  void emit_whole(const placed_token& token, std::string_view piece);

  const bpe* model_;
  std::vector<symbol> symbols_;
  std::vector<candidate> heap_;
  std::unordered_map<token_id, parts> seen_;
  std::vector<placed_token> out_;
};

}  // namespace lorica
