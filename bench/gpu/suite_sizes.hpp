#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lorica::bench {

/// Traffic of one case.
struct traffic_sizes {
  std::uint32_t sequences = 0;  ///< at once
  std::uint32_t adapters = 0;
  std::uint32_t slots = 0;  ///< adapters on the device at once
  std::uint32_t prompt = 0;
  std::uint32_t output = 0;
  double rate = 0;  ///< requests per second, at most; 0: all are there at once
  std::uint32_t requests = 0;
};

/// What the cases vary, what targets are for first; ids and meaning as in docs/performance.md, "On a GPU".
struct suite_sizes {
  std::uint32_t context = 512;                                   ///< tokens, in the middle of a decode run
  std::vector<std::uint32_t> decode_rows = {1, 8, 32, 64, 128};  // G-1
  std::vector<std::uint32_t> prompts = {512, 2048, 8192};        // G-2
  std::uint32_t rows = 32;                                       // G-3, G-4
  std::vector<std::uint32_t> ranks = {16, 8, 64};                // G-3
  std::vector<std::uint32_t> adapters = {1, 8, 32};              // G-3
  std::uint32_t rank = 16;                                       // G-4, G-5, G-7
  std::vector<std::uint32_t> adapted_prompts = {512, 2048};      // G-5
  std::vector<std::uint32_t> prompt_adapters = {1, 8};           // G-5
  std::vector<std::uint32_t> kernel_rows = {1, 8, 32, 128, 512, 2048, 8192};  // G-6
  std::vector<std::uint32_t> kernel_ranks = {16, 8, 64, 32, 128};             // G-6
  std::vector<std::uint32_t> kernel_adapters = {1, 32};                       // G-6, at most one per row
  std::vector<std::uint32_t> cold_prompts = {512, 2048};                      // G-7
  std::vector<std::uint32_t> mixed_ranks = {64, 32, 16, 8};                   // G-8
  std::vector<std::uint32_t> populations = {200, 2000};                       // G-8, adapters
  traffic_sizes s_lora = {128, 0, 512, 512, 512, 0, 512};                     // G-8; lengths are the longest
  traffic_sizes thrash = {64, 16, 8, 4096, 2048, 4, 0};                       // G-9
  traffic_sizes chat = {128, 30, 30, 450, 234, 0, 1024};                      // G-10
  std::uint64_t copy_bytes = std::uint64_t{1} << 30;
  /// That an executor may measure at its start how rows of adapters are shared out: a server's.
  std::chrono::milliseconds lora_choice{150};
};

/// Those of the reference; for the shape `tiny` some that pass in seconds everywhere, for checking the bench.
suite_sizes sizes_for(std::string_view shape);

}  // namespace lorica::bench
