#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/error.hpp"
#include "text/bpe.hpp"

namespace lorica {

/// A piece of a SentencePiece vocabulary that characters can be joined to.
struct scored_piece {
  std::string_view text;  ///< valid UTF-8
  token_id id = 0;
  float score = 0;  ///< not NaN
};

/// What a SentencePiece model of type BPE says in terms of pair merges.
struct score_merges {
  /// Two neighbours that join to a piece; the higher its score, the lower the rank, equal scores share one.
  std::vector<bpe::merge> merges;
  /// Tokens of single characters. Those that only longer pieces hold have ids from `made_up` on.
  std::unordered_map<char32_t, token_id> characters;
  token_id made_up = 0;
};

/// Longest piece that characters are joined to, in bytes: the time to find its parts is the square of that.
inline constexpr std::size_t scored_piece_limit = 512;

/// Finds the merges (the algorithm of SentencePiece's bpe_model, which looks up the text of two neighbours).
/// `made_up` is above all ids. `errc::bad_model` for a piece longer than `scored_piece_limit`.
result<score_merges> merges_by_score(const std::vector<scored_piece>& pieces, token_id made_up);

}  // namespace lorica
