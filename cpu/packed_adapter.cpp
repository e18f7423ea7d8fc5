#include "cpu/packed_adapter.hpp"

namespace lorica {

std::uint32_t cpu_packed_adapter::widest() const noexcept {
  std::uint32_t out = std::max(head_.ranks, embedding_.rank);
  for (auto& g : groups_)
    out = std::max(out, g.ranks);
  return out;
}

}  // namespace lorica
