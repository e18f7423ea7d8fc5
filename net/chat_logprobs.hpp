#pragma once

#include <span>

#include "core/generation.hpp"
#include "core/json.hpp"

namespace lorica {

/// The `logprobs` object of a chat's choice: of each token its text alone, its log-probability, its bytes and
/// its alternatives.
void write_chat_logprobs(json_writer& w, std::span<const generated_token> tokens);

}  // namespace lorica
