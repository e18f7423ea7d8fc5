#pragma once

#include <cstdint>
#include <optional>

#include "core/error.hpp"
#include "core/generation.hpp"

namespace lorica {

/// How many tokens a request may generate, or why its prompt is refused (`errc::invalid`, with TGI's texts).
/// An absent `wanted` means what still fits; counts are tokens after truncation.
result<std::uint32_t> allowed_new_tokens(std::uint64_t prompt_tokens, std::optional<std::uint32_t> wanted,
                                         std::uint32_t max_input_tokens, std::uint32_t max_total_tokens);

/// `min_tokens` above what may be generated is `errc::invalid`.
result<void> check_min_tokens(std::uint32_t min_tokens, std::uint32_t max_new_tokens);

/// What is wrong with the counts of a request that need no prompt: `choices`, `best_of`, `top_logprobs`,
/// `prompt_logprobs` (`errc::invalid`, with the field as param).
result<void> check_counts(const generation_request& request);

}  // namespace lorica
