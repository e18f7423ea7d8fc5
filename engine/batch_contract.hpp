#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/error.hpp"
#include "engine/batch.hpp"
#include "engine/executor.hpp"

namespace lorica {

/// What an executor knows of a slot.
struct slot_state {
  std::uint32_t seen = 0;  ///< tokens that are known from position 0 on
  bool sampled = false;    ///< it has sampled a token since it was begun anew
};

/// Every rule of batch.hpp, for executors to ask before they compute. Owned by one, which asks for every
/// step.
class batch_contract {
 public:
  batch_contract(const executor_limits& limits, std::uint32_t vocab);

  /// A broken rule is `errc::internal`, the text names it. `slot_of` is asked for slots below
  /// `max_sequences`.
  result<void> check(const batch& step, const std::unordered_set<const packed_adapter*>& attached,
                     const std::function<slot_state(std::uint32_t slot)>& slot_of);

 private:
  std::string_view broken_rows(const batch& step) const;
  std::string_view broken_sequence(const batch& step, const sequence_rows& s,
                                   const std::function<slot_state(std::uint32_t slot)>& slot_of);
  std::string_view broken_blocks(const batch& step, const sequence_rows& s, std::uint64_t end);
  std::string_view broken_scores(const sequence_rows& s) const;
  std::string_view broken_segments(const batch& step,
                                   const std::unordered_set<const packed_adapter*>& attached) const;
  static std::string_view broken_company(const batch& step);

  executor_limits limits_;
  std::uint32_t vocab_;
  std::uint64_t check_ = 0;                // number of the check, so that marks need no clearing
  std::vector<std::uint64_t> slot_mark_;   // last check that met the slot
  std::vector<std::uint64_t> block_mark_;  // last check in which the block was written
};

}  // namespace lorica
