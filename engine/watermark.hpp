#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/sampling_params.hpp"

namespace lorica {

/// Adds a watermark's delta to the logits [vocab] of the first gamma * vocab entries of a permutation, which
/// the token before draws: that of `torch.randperm` on a CPU, with the generator's seed 15485863 * `before`,
/// as in TGI. `permutation` is scratch memory. A pure function of the other arguments.
void add_watermark(std::span<float> logits, const watermark& mark, token_id before,
                   std::vector<std::uint32_t>& permutation);

}  // namespace lorica
