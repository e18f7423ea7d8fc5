#include "actors/prompt_limits.hpp"

#include <fmt/core.h>

namespace lorica {
namespace {

error refused(const std::string& text) {
  return fail(errc::invalid, "Input validation error: " + text);
}

}  // namespace

result<std::uint32_t> allowed_new_tokens(std::uint64_t prompt_tokens, std::optional<std::uint32_t> wanted,
                                         std::uint32_t max_input_tokens, std::uint32_t max_total_tokens) {
  if (prompt_tokens == 0) return refused("`inputs` cannot be empty");
  if (prompt_tokens > max_input_tokens)
    return refused(
        fmt::format("`inputs` must have less than {} tokens. Given: {}", max_input_tokens, prompt_tokens));
  auto fits =
      prompt_tokens < max_total_tokens ? max_total_tokens - static_cast<std::uint32_t>(prompt_tokens) : 0;
  auto count = wanted.value_or(fits > 0 ? fits : 1);
  if (count == 0) return refused("`max_new_tokens` must be strictly positive");
  if (count > fits)
    return refused(
        fmt::format("`inputs` tokens + `max_new_tokens` must be <= {}. Given: {} `inputs` tokens and {} "
                    "`max_new_tokens`",
                    max_total_tokens, prompt_tokens, count));
  return count;
}

}  // namespace lorica
