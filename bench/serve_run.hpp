#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/serve_options.hpp"
#include "bench/serve_outcome.hpp"
#include "net/stream_client.hpp"

namespace lorica::bench {

/// A run and what the machine did meanwhile.
struct serve_run {
  std::vector<request_outcome> outcomes = {};  ///< in order of arrival
  double duration = 0;                         ///< seconds, from the first arrival's clock to the last answer
  double client_cpu = 0;                       ///< processor seconds of this process
  std::optional<double> server_cpu = {};    ///< processor seconds of the server, where its process is known
  std::optional<double> server_bytes = {};  ///< memory of the server afterwards
  std::optional<double> foreign = {};       ///< share of the machine that others used; nothing when unknown
  double steal = 0;                         ///< share of the machine that the host gave to others
};

/// Body of the request: `prompt` random token ids, a function of the seed and `index` only.
std::string body_of(const serve_options& o, const planned_request& r, std::uint64_t index);

/// One request before everything else, so that a wrong option costs one answer; then the warm-ups. Fails with
/// what the server said.
result<void> try_server(stream_client& client, const serve_options& o,
                        const std::vector<planned_request>& plan);

/// Sends the plan. The thread is busy until the last answer.
serve_run send_all(stream_client& client, const serve_options& o, const std::vector<planned_request>& plan);

}  // namespace lorica::bench
