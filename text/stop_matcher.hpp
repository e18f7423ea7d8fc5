#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lorica {

/// Finds the first of several stop strings in text that arrives in pieces, across and inside tokens. Text
/// that might be the start of a stop string is held back. Owned by one session; no locks.
class stop_matcher {
 public:
  explicit stop_matcher(std::vector<std::string> stops, bool include_stop);

  struct step {
    std::string text;      ///< safe to show now
    bool stopped = false;  ///< a stop string matched; nothing may be pushed afterwards
  };

  /// Adds a piece. The earliest match wins; of those that begin at one place, the one that ends first.
  step push(std::string_view piece);

  /// What is held back, once the generation ended without a match.
  std::string flush();

 private:
  std::vector<std::string> stops_;
  bool include_stop_;
  std::string held_;
};

}  // namespace lorica
