#pragma once

#include <string>

#include "core/error.hpp"
#include "gpu/device.hpp"

namespace lorica::bench {

/// The card that figures are of.
struct card {
  gpu::device_properties properties;
  std::string driver;    ///< CUDA version that the driver serves: `13.0`
  std::string runtime;   ///< CUDA version of the runtime
  double clock_mhz = 0;  ///< highest that the multiprocessors may have
  double memory_clock_mhz = 0;
};

/// `errc::bad_config` when there is no such device.
result<card> card_at(int device);

}  // namespace lorica::bench
