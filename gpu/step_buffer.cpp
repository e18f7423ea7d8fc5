#include "gpu/step_buffer.hpp"

#include <algorithm>

namespace lorica::gpu {

result<step_buffer> step_buffer::allocate(arena& memory, const step_layout& layout) {
  auto device = memory.take(memory_part::workspace, "step tables", layout.bytes());
  if (!device) return device.error();
  auto pinned = pinned_buffer::allocate(layout.bytes());
  if (!pinned) return pinned.error();
  std::ranges::fill(pinned->as<std::byte>(), std::byte{0});
  return step_buffer(layout, *std::move(pinned), *device);
}

std::optional<std::uint32_t> step_buffer::take(std::uint64_t count) noexcept {
  if (count > room()) return std::nullopt;
  const auto first = static_cast<std::uint32_t>(used_);
  used_ += count;
  return first;
}

std::optional<std::uint32_t> step_buffer::append(std::span<const std::uint32_t> words) noexcept {
  const auto first = take(words.size());
  if (first) std::ranges::copy(words, host_words(*first));
  return first;
}

result<void> step_buffer::upload(const stream& s) const {
  return s.to_device(device_, pinned_.data(), layout_.table_bytes() + used_ * sizeof(std::uint32_t));
}

}  // namespace lorica::gpu
