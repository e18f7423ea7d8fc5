#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/system/http_client.hpp"

namespace lorica::testing {

/// One case of a golden file (tests/golden/README.md): what transformers and PEFT answered.
struct golden_case {
  std::string adapter;                                   ///< empty: base, or several
  std::vector<std::pair<std::string, double>> adapters;  ///< several with weights
  bool merged = false;                                   ///< they go into `merged_adapters`
  std::optional<std::string> prompt;                     ///< nothing: the prompt is given as ids
  std::vector<std::int64_t> prompt_ids;
  std::uint64_t max_new_tokens = 0;
  std::vector<std::int64_t> tokens;
  std::vector<double> logprobs;
  std::string text;
  std::string finish;
};

/// All cases of a golden file; fails the test when it cannot be read.
std::vector<golden_case> golden_cases(const std::string& path);

/// The two ways an answer comes.
enum class delivery { plain, streamed };

/// Asks a server for a case: a text over the native route, ids over the route that takes them.
http_reply ask(std::uint16_t port, const golden_case& g, delivery how);

/// Checks everything that a reply of `ask` tells: who answered, text, end and counts; over the native route
/// also the prompt's ids, and ids (exactly) and log-probabilities (within 1e-3) of the answer.
void check_answer(const golden_case& g, delivery how, const http_reply& reply);

}  // namespace lorica::testing
