#pragma once

#include <chrono>
#include <string_view>

#include "bench/serve_outcome.hpp"

namespace lorica::bench {

/// Reads the event stream of OpenAI's /v1/completions and notes when tokens came. Owned by one request.
///
/// A token event has a choice with text, or one without a finish reason: servers that end with an event of
/// its own (`text` empty, `finish_reason` set) tell no token by it. `usage` is taken wherever it stands.
class completion_stream {
 public:
  using clock = std::chrono::steady_clock;

  completion_stream(request_outcome& out, clock::time_point sent, bool keep_text)
      : out_(out), sent_(sent), latest_(sent), keep_text_(keep_text) {}

  /// A line of the stream, and when it came.
  void line(std::string_view text, clock::time_point now);

  /// After the last line of a 200: success, unless the stream told an error, broke the format or brought no
  /// token.
  void end();

 private:
  void event(std::string_view data, clock::time_point now);
  void token(clock::time_point now);

  request_outcome& out_;
  clock::time_point sent_;
  clock::time_point latest_;  // token
  bool keep_text_;
  bool begun_ = false;
  std::uint32_t events_ = 0;  // with tokens
};

}  // namespace lorica::bench
