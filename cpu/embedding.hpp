#pragma once

#include <cstdint>
#include <vector>

#include "cpu/step_plan.hpp"
#include "cpu/thread_team.hpp"
#include "cpu/workspace.hpp"
#include "model/weights.hpp"

namespace lorica {

/// Fills rows [mine.first, mine.last) of the residual stream with their tokens' embeddings, straight from the
/// file's tensor, and their cos and sin of position * inv_freq (float32 angles, as in transformers).
/// `frequencies` is [head_dim / 2] (`rope_frequencies`).
void embed(const model_weights& model, const step_plan& plan, const std::vector<float>& frequencies,
           workspace& w, share mine);

}  // namespace lorica
