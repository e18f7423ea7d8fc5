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

result<void> check_min_tokens(std::uint32_t min_tokens, std::uint32_t max_new_tokens) {
  if (min_tokens <= max_new_tokens) return {};
  return fail(
      errc::invalid,
      fmt::format("Input validation error: `min_tokens` must be <= the {} tokens that may be generated. "
                  "Given: {}",
                  max_new_tokens, min_tokens),
      {}, "min_tokens");
}

result<void> check_counts(const generation_request& request) {
  auto most = [](const char* field, std::uint32_t given, std::uint32_t limit) -> result<void> {
    if (given <= limit) return {};
    return fail(errc::invalid,
                fmt::format("Input validation error: `{}` must be <= {}. Given: {}", field, limit, given), {},
                field);
  };
  if (auto ok = most("n", request.choices, most_choices); !ok) return ok;
  if (auto ok = most("best_of", request.best_of.value_or(0), most_choices); !ok) return ok;
  if (auto ok = most("top_logprobs", request.top_logprobs, most_top_logprobs); !ok) return ok;
  if (auto ok = most("prompt_logprobs", request.prompt_logprobs.value_or(0), most_top_logprobs); !ok)
    return ok;
  auto sequences = request.prompts.size() * sequences_of(request);
  if (sequences > most_choices)
    return fail(
        errc::invalid,
        fmt::format("Input validation error: {} prompts of {} sequences each are more than {} sequences; "
                    "send fewer in each request",
                    request.prompts.size(), sequences_of(request), most_choices),
        {}, "n");
  if (!request.best_of || *request.best_of >= request.choices) return {};
  return fail(errc::invalid,
              fmt::format("Input validation error: `best_of` must be >= `n`, which is {}. Given: {}",
                          request.choices, *request.best_of),
              {}, "best_of");
}

}  // namespace lorica
