#pragma once

#include <cstdint>
#include <vector>

#include "cpu/kernels.hpp"
#include "cpu/packed_weights.hpp"
#include "cpu/step_plan.hpp"
#include "cpu/thread_team.hpp"
#include "cpu/workspace.hpp"
#include "model/weights.hpp"

namespace lorica {

/// What a row begins with beside its token.
struct embedding_rule {
  std::vector<float> frequencies;  ///< [rotary_dim / 2] (`rope_frequencies`)
  float rope_factor = 1;           ///< of cos and sin
  float scale = 1;                 ///< of the embedding
};

/// The rule of a model that will serve sequences of up to `positions` tokens. The scale of embeddings is
/// rounded to bfloat16 in that mode, as models were trained in it.
embedding_rule embedding_rule_for(const model_config& m, cpu_dtype dtype, std::uint32_t positions);

/// Fills rows [mine.first, mine.last) of the residual stream with their tokens' embeddings, from `tied` (the
/// packed head) or straight from the file's tensor where that is null, with what their adapters do to them,
/// and their cos and sin of position * inv_freq (float32 angles, as in transformers). Low-rank inputs pass
/// through `low_rank` of the same rows.
void embed(const model_weights& model, const packed_matrix* tied, const kernel_table& kernels,
           const step_plan& plan, const embedding_rule& rule, workspace& w, share mine);

}  // namespace lorica
