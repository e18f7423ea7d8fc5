#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/byte_progress.hpp"

namespace lorica {

/// What a load is doing, written by the thread that works and read by whoever is asked. Single numbers only:
/// a reader may see the bytes of one stage under the name of the next for a moment.
struct load_progress : byte_progress {
  enum class stage : std::uint8_t { queued, downloading, reading, packing, storing };

  std::atomic<stage> now{stage::queued};

  void enter(stage next, std::uint64_t of = 0) noexcept {
    begin(of);
    now = next;
  }
};

constexpr std::string_view to_string(load_progress::stage s) noexcept {
  using enum load_progress::stage;
  switch (s) {
    case queued: return "queued";
    case downloading: return "downloading";
    case reading: return "reading";
    case packing: return "packing";
    default: return "storing";
  }
}

}  // namespace lorica
