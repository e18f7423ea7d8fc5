#include "gpu/packed_adapter.hpp"

#include <algorithm>
#include <chrono>

namespace lorica::gpu {
namespace {

std::int64_t now() noexcept {
  const auto at = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(at).count();
}

}  // namespace

void gpu_packed_adapter::expect_in(double seconds) const noexcept {
  arrives_ = seconds > 0 ? now() + static_cast<std::int64_t>(seconds * 1e9) : 0;
}

double gpu_packed_adapter::seconds_to_come() const noexcept {
  const auto at = arrives_.load();
  return at == 0 ? 0 : std::max(0.0, static_cast<double>(at - now()) * 1e-9);
}

bool gpu_packed_adapter::stands_alone() const noexcept {
  const auto rescales = [](const adapter_group& g) {
    return std::ranges::any_of(g.part, [](auto& p) { return p.gain != nullptr; });
  };
  return embedding_.table || head_.weights || std::ranges::any_of(groups_, rescales);
}

std::uint64_t gpu_packed_adapter::copied_bytes() const noexcept {
  std::uint64_t out = 0;
  for (auto& piece : pieces_)
    out += piece.bytes;
  return out;
}

std::uint32_t gpu_packed_adapter::widest() const noexcept {
  std::uint32_t out = 0;
  for (auto& g : groups_)
    out = std::max(out, g.ranks);
  return out;
}

}  // namespace lorica::gpu
