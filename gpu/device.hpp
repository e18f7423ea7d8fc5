#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "gpu/e4m3.hpp"

namespace lorica::gpu {

/// What a device is.
struct device_properties {
  int index = 0;
  std::string name;
  std::uint64_t memory_bytes = 0;
  std::uint32_t multiprocessors = 0;
  std::uint32_t major = 0;         ///< compute capability
  std::uint32_t minor = 0;         ///< compute capability
  std::uint32_t shared_bytes = 0;  ///< per block, at most
  std::uint64_t l2_bytes = 0;

  /// Whether products of codes take a scale for every row and output (cuBLAS 13: of all devices these alone).
  bool scales_products() const noexcept { return major == 9 && minor == 0; }
};

/// `errc::bad_config` where the tensor cores of a device do not multiply such weights; the text says what is
/// needed and what works.
inline result<void> check_weights(weight_format wanted, const device_properties& p) {
  if (wanted != weight_format::fp8 || p.major > 8 || (p.major == 8 && p.minor >= 9)) return {};
  return fail(errc::bad_config, "fp8 needs compute capability 8.9 or later; " + p.name + " has " +
                                    std::to_string(p.major) + "." + std::to_string(p.minor) +
                                    ", where bfloat16 works");
}

/// All devices. `errc::bad_config` when there is none, or when this build has no CUDA.
result<std::vector<device_properties>> list_devices();

/// One device, opened. The thread that uses it calls `use` once.
class device {
 public:
  /// `errc::bad_config` when there is no such device or it is older than compute capability 8.0.
  static result<device> open(int index);

  const device_properties& properties() const noexcept { return properties_; }

  /// Makes this the device of the calling thread.
  result<void> use() const;

  /// Bytes that nobody holds now, other processes included.
  result<std::uint64_t> free_bytes() const;

  /// Waits for everything; not in a step.
  result<void> synchronise() const;

 private:
  explicit device(device_properties p) : properties_(std::move(p)) {}

  device_properties properties_;
};

}  // namespace lorica::gpu
