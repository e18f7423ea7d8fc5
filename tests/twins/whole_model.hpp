#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gpu/executor.hpp"
#include "tests/cpu/drive.hpp"

namespace lorica::testing {

/// What a drive does not say of a CUDA executor.
///
/// On a real device cuBLAS chooses by the number of rows, and only `same_products` gives a row the same bits
/// in any mix: what asks for that uses `in_any_mix`. On the emulated device every mode does.
struct device_drive {
  bool graphs = true;
  bool same_products = false;
  std::chrono::milliseconds measure{0};
  std::uint64_t adapter_bytes = std::uint64_t{8} << 20;
  gpu::weight_format weights = gpu::weight_format::bfloat16;
};

/// Whether there is a device for whole models; else the test is told as skipped.
bool device_is_here();

/// A drive's rest where equal rows are to have equal bits among whatever others.
device_drive in_any_mix();

/// Makes executors on the device; `mode`, `threads` and `instructions` of a drive mean nothing to
/// them.
executor_maker on_device(const device_drive& how = {});

/// Whether token `t` of case `i` is one that rounding cannot change.
using clear_choice = std::function<bool(std::size_t i, std::size_t t)>;

/// Greedy choices whose likeliest token is 0.5 before the next one; the cases told two alternatives. Refers
/// to `cpu`.
clear_choice clear_margin(const std::vector<answer>& cpu);

/// How two executors' answers agree. Behind a token that differs nothing is compared.
struct agreement {
  std::size_t compared = 0;  ///< tokens
  std::size_t all = 0;
  std::size_t different = 0;  ///< tokens that differ though the CPU's choice is clear
  double worst = 0;           ///< largest difference of log-probabilities of equal tokens
  double mean = 0;
};
agreement compare(const std::vector<answer>& cpu, const std::vector<answer>& gpu, const clear_choice& clear);

/// Checks that no clear token differs and that log-probabilities are as near as bfloat16 lets them; and that
/// so great a share of all tokens was compared.
void check_agreement(const std::vector<answer>& cpu, const std::vector<answer>& gpu, double least_compared,
                     const clear_choice& clear);

/// The same of greedy answers.
void check_agreement(const std::vector<answer>& cpu, const std::vector<answer>& gpu, double least_compared);

}  // namespace lorica::testing
