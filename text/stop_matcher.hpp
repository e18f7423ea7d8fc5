#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lorica {

/// Finds the first of several stop strings in text that arrives in pieces, across and inside tokens. Text
/// that might be the start of a stop string is held back. Time is linear in the text. Owned by one session;
/// no locks.
class stop_matcher {
 public:
  /// Empty stop strings are ignored.
  explicit stop_matcher(std::vector<std::string> stops, bool include_stop);

  struct step {
    std::string text;      ///< safe to show now
    bool stopped = false;  ///< a stop string matched; nothing may be pushed afterwards
  };

  /// What a stop string does that is complete with a character of a piece.
  enum class matching : std::uint8_t { counts, passes };

  /// Adds a piece. The earliest match wins; of those that begin at one place, the one that ends first. A
  /// match is reported once no stop string that began before it can match any more, so the way text is cut
  /// into pieces never changes the outcome. Matches that end in a piece that `passes` are no matches; one
  /// that begins there and ends later is.
  step push(std::string_view piece, matching how = matching::counts);

  /// What is held back, once the generation ended without a reported match. A match that still waited for a
  /// stop string that began before it counts now: the text ends there and `stopped` tells so.
  std::string flush();

  /// A stop string matched, in `push` or in `flush`.
  bool stopped() const noexcept { return stopped_; }

  /// The stop string that matched, once `stopped`.
  const std::string& matched() const noexcept { return patterns_[best_->pattern].text; }

 private:
  struct pattern {
    std::string text;
    std::vector<std::size_t> border;  ///< by length: longest proper prefix that is also a suffix
    std::size_t matched = 0;          ///< how much of `text` the end of the input is
    bool done = false;                ///< matched once; a later match of it begins later

    void advance(char c);
  };
  struct match {
    std::size_t begin;
    std::size_t end;
    std::size_t pattern;
  };

  std::size_t undecided_from() const;
  void advance(char c, matching how);
  std::string cut();

  std::vector<pattern> patterns_;
  bool include_stop_;
  bool stopped_ = false;
  std::string held_;
  std::optional<match> best_;  ///< in `held_`
};

}  // namespace lorica
