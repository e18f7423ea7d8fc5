#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "gpu/executor.hpp"
#include "tests/cpu/golden_model.hpp"

namespace lorica::testing {

/// What a drive does not say of a CUDA executor.
struct device_drive {
  bool graphs = true;
  bool same_products = false;
  std::chrono::milliseconds measure{0};
  std::uint64_t adapter_bytes = std::uint64_t{8} << 20;
  gpu::weight_format weights = gpu::weight_format::bfloat16;
};

/// Makes executors on the emulated device; `mode`, `threads` and `instructions` of a drive mean nothing to
/// them.
executor_maker on_device(const device_drive& how = {});

/// A tiny model of the goldens with its adapters' folder and cases.
struct golden_folder {
  std::shared_ptr<const model_weights> weights;
  std::string adapters;
  std::vector<golden_case> cases;
};
golden_folder open_golden(const std::string& model, const std::string& cases = "golden.json");

/// How two executors' answers agree. Where the CPU's two likeliest tokens are nearer than `margin` either may
/// be chosen, and what follows is not compared.
struct agreement {
  std::size_t compared = 0;  ///< tokens
  std::size_t all = 0;
  std::size_t different = 0;  ///< tokens that differ at a clear margin
  double worst = 0;           ///< largest difference of log-probabilities of equal tokens
  double mean = 0;
};
agreement compare(const std::vector<answer>& cpu, const std::vector<answer>& gpu, double margin);

}  // namespace lorica::testing
