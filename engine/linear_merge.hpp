#pragma once

#include <optional>
#include <span>

#include "core/error.hpp"
#include "engine/batch.hpp"

namespace lorica {

/// Why these adapters (not null, in the order of the composition) cannot be combined as `combination::linear`
/// says; nothing when they can. In each module that several have their ranks must be equal, the first one's
/// scaling must be the same for all its modules, and their effect must be pairs of A and B and nothing else.
std::optional<error> linear_merge_refusal(std::span<const adapter_use> uses);

}  // namespace lorica
