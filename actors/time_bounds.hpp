#pragma once

#include <vector>

namespace lorica {

/// Bucket bounds in seconds for what takes one step.
inline std::vector<double> short_times() {
  return {0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4};
}

/// Bucket bounds in seconds for what takes many steps.
inline std::vector<double> long_times() {
  return {0.001, 0.004, 0.016, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8, 16, 32, 64, 128};
}

}  // namespace lorica
