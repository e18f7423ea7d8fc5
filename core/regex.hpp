#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "core/error.hpp"

namespace lorica {

/// A compiled PCRE2 pattern over UTF-8 with Unicode classes, with match and depth limits always set: patterns
/// come from model and adapter files. Immutable after compile; `find` may be called from many threads.
class regex {
 public:
  enum class mode { search, full_match };

  /// Compiles; a pattern that PCRE2 refuses is `errc::invalid` (without the library's text).
  static result<regex> compile(std::string_view pattern, mode m = mode::search);

  regex(regex&&) noexcept;
  regex& operator=(regex&&) noexcept;
  ~regex();

  using span = std::pair<std::size_t, std::size_t>;  ///< byte offsets [begin, end)

  /// First match at or after `from`. `text` must be valid UTF-8. Failure: a match limit was reached.
  result<std::optional<span>> find(std::string_view text, std::size_t from = 0) const;

 private:
  struct state;
  explicit regex(std::unique_ptr<state> s);
  std::unique_ptr<state> state_;
};

}  // namespace lorica
