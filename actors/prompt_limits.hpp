#pragma once

#include <cstdint>
#include <optional>

#include "core/error.hpp"

namespace lorica {

/// How many tokens a request may generate, or why its prompt is refused (`errc::invalid`, with TGI's texts).
/// An absent `wanted` means what still fits; counts are tokens after truncation.
result<std::uint32_t> allowed_new_tokens(std::uint64_t prompt_tokens, std::optional<std::uint32_t> wanted,
                                         std::uint32_t max_input_tokens, std::uint32_t max_total_tokens);

}  // namespace lorica
