#include "gpu/packed_adapter.hpp"

#include <algorithm>

namespace lorica::gpu {

bool gpu_packed_adapter::stands_alone() const noexcept {
  const auto rescales = [](const adapter_group& g) {
    return std::ranges::any_of(g.part, [](auto& p) { return p.gain != nullptr; });
  };
  return embedding_.table || head_.weights || std::ranges::any_of(groups_, rescales);
}

std::uint32_t gpu_packed_adapter::widest() const noexcept {
  std::uint32_t out = 0;
  for (auto& g : groups_)
    out = std::max(out, g.ranks);
  return out;
}

}  // namespace lorica::gpu
