#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/error.hpp"
#include "gpu/lora.hpp"
#include "gpu/lora_choice.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// What is measured, and memory to do it in. Everything that `sites` and `memory` point to is written over.
struct lora_bench {
  std::span<const lora_args> sites;  ///< maps of one layer: buffers, depths and parts; no tables
  std::uint32_t rows = 0;            ///< that the buffers have
  std::uint32_t widest = 0;          ///< that a composition may be
  std::uint64_t input_floats = 0;    ///< at `inputs` of each site
  std::byte* memory = nullptr;       ///< on the device, on 256 bytes: for tables and adapters
  std::uint64_t bytes = 0;
  std::chrono::milliseconds longest{0};  ///< behind which no more points are timed
};

/// Times both ways to share rows out, at some ranks and rows, and tells where one is better. Adapters lie far
/// apart, so that caches hold few of them, and launches are recorded, as in steps. Meant to take some tens of
/// milliseconds. Where there is no room to measure the choice stays what it is without.
result<lora_choice> measure_lora(const lora_bench& b, const stream& s);

}  // namespace lorica::gpu
