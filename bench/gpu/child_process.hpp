#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.hpp"

namespace lorica::bench {

/// Hands a line, without its end, to the parent; at once.
using line_sender = std::function<void(std::string_view line)>;

/// How a child ended.
struct child_end {
  double seconds = 0;
  /// Why it did not end by itself: a signal, an exception, or the limit; empty: it did.
  std::string why;
  bool too_late = false;  ///< it was ended at the limit
};

/// Runs `body` in a copy of this process and gives each line that it sends to `take` as it comes. After
/// `limit` seconds the copy is killed; it also dies with its parent. A device that one copy has broken is
/// whole in the next, so the parent never opens one. Call it where there is one thread. `errc::io` where
/// there can be no copy.
result<child_end> run_in_child(const std::function<void(const line_sender& send)>& body,
                               const std::function<void(std::string_view line)>& take, double limit);

}  // namespace lorica::bench
