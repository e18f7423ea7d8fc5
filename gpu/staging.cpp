#include "gpu/staging.hpp"

namespace lorica::gpu {

result<staging> staging::allocate(std::size_t half_bytes) {
  auto memory = pinned_buffer::allocate(2 * half_bytes);
  if (!memory) return std::move(memory).error();
  auto first = event::create();
  if (!first) return std::move(first).error();
  auto second = event::create();
  if (!second) return std::move(second).error();
  return staging(*std::move(memory), half_bytes, *std::move(first), *std::move(second));
}

result<void> staging::send(std::byte* to, std::size_t bytes,
                           const std::function<void(std::span<std::byte>)>& fill, const stream& s) {
  auto& arrived = arrived_[next_];
  auto* half = memory_.data() + next_ * half_bytes_;
  next_ = 1 - next_;
  if (auto ok = arrived.wait(); !ok) return ok;
  fill({half, bytes});
  if (auto ok = s.to_device(to, half, bytes); !ok) return ok;
  return arrived.record(s);
}

}  // namespace lorica::gpu
