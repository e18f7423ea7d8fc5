#pragma once

#include <optional>
#include <span>

#include "core/generation.hpp"
#include "core/ids.hpp"
#include "engine/batch.hpp"

namespace lorica {

/// How a sequence ends with this token of its own, its length aside: with one of the model's end tokens `eos`
/// unless it ignores them, or with one of its stop tokens. Absent: it does not.
std::optional<finish_reason> end_with(token_id token, const sampling_params& sampling, bool ignore_eos,
                                      std::span<const token_id> eos);

/// Every sequence of a step has sampled, and a token behind which it goes on, its length aside: the step that
/// was planned ahead on that can be executed.
bool all_go_on(const batch& step, const step_output& output);

}  // namespace lorica
