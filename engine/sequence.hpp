#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/generation.hpp"
#include "core/ids.hpp"

namespace lorica {

/// One adapter of a composition, by content.
struct adapter_share {
  adapter_version version;
  float weight = 1.0f;  ///< finite; multiplies the adapter's own scaling

  bool operator==(const adapter_share&) const = default;
};

/// A generation as the planner takes it: everything is decided but when it runs.
struct sequence {
  sequence_id id = 0;                ///< unique among all sequences of the process
  std::vector<token_id> prompt;      ///< >= 1 token, all >= 0
  std::uint32_t max_new_tokens = 1;  ///< >= 1
  bool ignore_eos = false;           ///< the model's end tokens are tokens like others
  sampling_params sampling;
  std::uint32_t choice = 0;                ///< second counter of the random numbers
  std::vector<adapter_share> composition;  ///< in order; empty: base, usually one
  combination combine = combination::sum;  ///< what the composition amounts to
  std::uint32_t top_logprobs = 0;          ///< alternatives with each generated token
  /// The prompt tokens after the first are told with their log-probabilities and so many alternatives. Such a
  /// sequence computes its whole prompt: none of it is taken from the prefix cache.
  std::optional<std::uint32_t> prompt_logprobs = {};
  std::string cache_salt = {};  ///< shares cached prefixes only with sequences of the same one
};

}  // namespace lorica
