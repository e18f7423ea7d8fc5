#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cpu/step_profile.hpp"
#include "engine/executor.hpp"
#include "model/model_config.hpp"

namespace lorica::bench {

/// What is measured: `streams` sequences with distinct random prompts, all of one step size.
struct workload {
  std::string name;
  std::uint32_t streams = 1;
  std::uint32_t adapters = 0;               ///< stream i uses adapter i % adapters; 0: base
  std::uint32_t prompt = 64;                ///< tokens of each stream
  std::uint32_t decode = 128;               ///< new tokens of each stream; 0: the prompt is what is measured
  std::vector<std::uint32_t> ranks = {16};  ///< dealt to the adapters in turns
  bool one_step = false;                    ///< all prompts in one step, else one after the other
  std::uint32_t first_slot = 0;             ///< the streams have slots from it on, and blocks of their own
};

/// One run of it.
struct run_time {
  double seconds = 0;            ///< of the measured part
  double best_step_seconds = 0;  ///< the shortest step of it
  double median_step_seconds = 0;
  double longest_step_seconds = 0;
  double tokens = 0;       ///< of the measured part, all streams
  double cpu_seconds = 0;  ///< of all threads, waits that spin included
  double foreign = 0;      ///< share of the machine that others used meanwhile
};

/// An adapter on every projection of every layer: random, seeded, A and B non-zero, alpha = 2 rank.
adapter_weights random_adapter(const model_config& m, std::uint32_t rank, std::uint32_t seed);

/// Runs the workload from an empty cache: prompts as the workload says, then all streams step by step.
/// `adapters` are attached. Throws `std::runtime_error` when a step fails.
run_time run(executor& engine, const model_config& m, const workload& w,
             const std::vector<std::shared_ptr<const packed_adapter>>& adapters,
             step_profile* profile = nullptr);

/// Medians of steps that were taken in turns.
struct turns_time {
  double base_step_seconds = 0;
  double step_seconds = 0;  ///< with the adapters
  double over_base = 0;     ///< the median of each pair's quotient
  double foreign = 0;       ///< share of the machine that others used meanwhile
};

/// The workload beside the same without adapters: both sets of streams are in the cache at once and take
/// steps in turns, so that what changes on the machine changes both. `w` decodes, and the executor has slots
/// and blocks for twice its streams.
turns_time run_in_turns(executor& engine, const model_config& m, const workload& w,
                        const std::vector<std::shared_ptr<const packed_adapter>>& adapters);

/// Bytes of the adapters that a step of the workload reads.
double adapter_bytes(const workload& w, const std::vector<std::shared_ptr<const packed_adapter>>& adapters);

/// Bytes that one decode step of the workload must read: base, adapters, and K and V in the middle of the
/// run.
double bytes_per_step(const executor& engine, const workload& w,
                      const std::vector<std::shared_ptr<const packed_adapter>>& adapters);

/// Bytes per second that `threads` threads read from memory, the best of some passes over a large array.
double memory_bandwidth(unsigned threads);

}  // namespace lorica::bench
