#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lorica::bench {

/// What became of a request, as its client saw it. Seconds.
struct request_outcome {
  bool success = false;
  double start = 0;              ///< sent, since the start of the run
  double queue = 0;              ///< from its arrival until it was sent: it waited for --max-concurrency
  double ttft = 0;               ///< from sending to the first token
  double latency = 0;            ///< from sending to the last event with a choice
  std::vector<double> itl = {};  ///< between two events with tokens
  std::uint32_t prompt = 0;      ///< tokens, as the server counts them where it tells
  std::uint32_t output = 0;      ///< tokens, as the server counts them, or its events where it does not tell
  std::string text = {};         ///< kept only when asked for
  std::string error = {};
};

}  // namespace lorica::bench
