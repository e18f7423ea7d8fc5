#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <span>

#include "core/error.hpp"
#include "gpu/event.hpp"
#include "gpu/pinned.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Pinned memory in two halves, through which much goes to the device: one is filled while the other travels.
class staging {
 public:
  static result<staging> allocate(std::size_t half_bytes);

  std::size_t half_bytes() const noexcept { return half_bytes_; }

  /// `fill` writes `bytes` <= half_bytes() into a half that is not travelling; then they go to `to`.
  result<void> send(std::byte* to, std::size_t bytes, const std::function<void(std::span<std::byte>)>& fill,
                    const stream& s);

 private:
  staging(pinned_buffer memory, std::size_t half_bytes, event first, event second)
      : memory_(std::move(memory)), half_bytes_(half_bytes), arrived_{std::move(first), std::move(second)} {}

  pinned_buffer memory_;
  std::size_t half_bytes_;
  std::array<event, 2> arrived_;  // what each half held last
  std::size_t next_ = 0;
};

}  // namespace lorica::gpu
