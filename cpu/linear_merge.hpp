#pragma once

#include <cstdint>
#include <span>

#include "cpu/thread_team.hpp"
#include "cpu/workspace.hpp"

namespace lorica {

/// Where one adapter of a composition has its low-rank inputs of a module.
struct merged_input {
  std::uint32_t column = 0;
  float weight = 0;
};

/// u_i = s w_i (u_1 + … + u_n) for the n adapters that have a module, on the given rows of `low_rank`, where
/// u_j is w_j A_j x before: times the B_i that is s (sum of w_i B_i) (sum of w_j A_j) x, LoRAX's merge
/// `linear` without a merged copy. The sum runs in the order of the composition, so neither rows nor threads
/// enter.
void merge_inputs(std::span<const merged_input> of, std::uint32_t rank, float scaling,
                  const row_buffer& low_rank, share rows) noexcept;

}  // namespace lorica
