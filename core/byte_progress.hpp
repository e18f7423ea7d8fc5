#pragma once

#include <atomic>
#include <cstdint>

namespace lorica {

/// How far long work with bytes has come, written by the thread that works and read by whoever is asked.
struct byte_progress {
  std::atomic<std::uint64_t> bytes{0};  ///< done
  std::atomic<std::uint64_t> total{0};  ///< of how many; 0: not known

  void begin(std::uint64_t of) noexcept {
    bytes = 0;
    total = of;
  }
};

}  // namespace lorica
