#pragma once

#include <string>
#include <vector>

namespace lorica::testing {

/// What becomes of a connection after the answers: it takes another request, or the server has ended it.
enum class fate { open, closed };

/// Bytes that a client may send, and what must come of them.
struct raw_case {
  std::string name;
  std::string bytes;
  std::vector<int> statuses;  ///< final ones, in order; 1xx do not count
  fate then = fate::closed;
  bool ends_sending = false;  ///< the client half-closes behind the bytes
};

/// All of them, after RFC 9110 and 9112.
std::vector<raw_case> start_line_cases();
std::vector<raw_case> field_cases();
std::vector<raw_case> body_cases();
std::vector<raw_case> connection_cases();

}  // namespace lorica::testing
