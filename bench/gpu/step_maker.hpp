#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/executor.hpp"
#include "model/model_config.hpp"

namespace lorica::bench {

/// A step of sequences of equal length.
struct even_step {
  std::uint32_t first = 0;  ///< sequence; they have slots and KV blocks of their own
  std::uint32_t sequences = 1;
  std::uint32_t context = 0;  ///< tokens that each has behind it
  std::uint32_t rows = 1;     ///< of each; of one row that is what was sampled last, else random tokens
  /// Dealt to neighbours in equal shares; empty: the base.
  std::span<const std::shared_ptr<const packed_adapter>> adapters = {};
};

/// Steps for an executor whose blocks are shared out evenly over its slots.
class step_maker {
 public:
  step_maker(const executor_limits& limits, const model_config& m) : limits_(limits), vocab_(m.vocab) {}

  /// Each sequence's last row chooses a token.
  batch make(const even_step& s) const;

 private:
  executor_limits limits_;
  std::uint32_t vocab_;
};

}  // namespace lorica::bench
