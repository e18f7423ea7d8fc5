#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "gpu/event.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// How fast a stream copies to the device, measured by events around some of its copies, and how long copies
/// will take by that. One measurement at a time; copies in between are not measured. Owned by who copies,
/// used by its thread.
class copy_pace {
 public:
  static result<copy_pace> create();

  /// To be called before and behind `bytes` of copies in `s`.
  result<void> begin(const stream& s);
  result<void> end(const stream& s, std::uint64_t bytes);

  /// Takes the measurement into account if the device is past it; waits for nothing.
  result<void> look();

  /// That so many bytes take: by a guess until something was measured.
  double seconds(std::uint64_t bytes) const noexcept {
    return static_cast<double>(bytes) / bytes_per_second_;
  }

  /// `bytes` took so long. Times that are none (0, not finite) are ignored.
  void learn(std::uint64_t bytes, double seconds) noexcept;

 private:
  enum class phase : std::uint8_t { idle, begun, ended };

  copy_pace(event from, event to) : from_(std::move(from)), to_(std::move(to)) {}

  event from_, to_;
  phase phase_ = phase::idle;
  std::uint64_t bytes_ = 0;  // of the measurement
  bool measured_ = false;
  double bytes_per_second_ = 10e9;  // pinned memory over a slow bus
};

}  // namespace lorica::gpu
