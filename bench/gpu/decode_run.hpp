#pragma once

#include <cstdint>
#include <span>

#include "bench/gpu/adapters.hpp"
#include "bench/gpu/step_maker.hpp"
#include "bench/gpu/times.hpp"

namespace lorica::bench {

/// Sequences that decode at once around a given length, from random prompts. Everything throws `failure`.
class decode_run {
 public:
  /// `tokens` is the length in the middle of a run.
  decode_run(executor& engine, const model_config& m, std::uint32_t sequences, std::uint32_t tokens,
             const repetition& how);

  /// Tokens that a sequence needs room for.
  static std::uint32_t tokens_needed(std::uint32_t tokens, const repetition& how) noexcept {
    return tokens + how.warmups + how.runs;
  }

  /// Steps of the first `sequences`, wall clock from the batch to its tokens.
  times measure(std::uint32_t sequences);

  /// The same with adapters, in turns with the base.
  pair_of_times measure_beside_base(std::uint32_t sequences, const adapter_list& adapters);

  /// Without adapters, in turns with a run on another executor that was made alike.
  pair_of_times measure_beside(decode_run& base, std::uint32_t sequences);

  /// One step of the first `sequences` at the first length.
  double step(std::uint32_t sequences, std::span<const std::shared_ptr<const packed_adapter>> adapters);

 private:
  void fill(std::uint32_t sequences);
  double step_at(std::uint32_t sequences, std::uint32_t context,
                 std::span<const std::shared_ptr<const packed_adapter>> adapters);

  executor& engine_;
  step_maker steps_;
  repetition how_;
  std::uint32_t first_ = 1;  // tokens of each where a run begins
};

/// Seconds that the engine takes for a step.
double execute(executor& engine, const batch& step);

}  // namespace lorica::bench
