// history[slots[i]][positions[i]] = tokens[i]; shapes in token_history.hpp. A thread per token.
#include "gpu/token_history.hpp"

#include <algorithm>

#include "gpu/lanes.cuh"
#include "gpu/launch.cuh"

namespace lorica::gpu {
namespace {

constexpr unsigned threads = 128;

__global__ void __launch_bounds__(threads) remember_kernel(token_history_args a) {
  wait_for_previous();
  const auto i = blockIdx.x * threads + threadIdx.x;
  if (i < a.count) a.history[a.slots[i] * a.stride + a.positions[i]] = a.tokens[i];
}

}  // namespace

result<void> remember(const token_history_args& a, const stream& s) {
  const launch_shape shape{dim3((a.count + threads - 1) / threads), dim3(threads)};
  return launch("token history", s, shape, remember_kernel, a);
}

result<token_history> token_history::allocate(arena& memory, std::uint32_t slots, std::uint32_t positions) {
  const auto count = (std::uint64_t{slots} + 1) * positions;
  auto device = memory.take<token_id>(memory_part::workspace, "the tokens of all slots", count);
  if (!device) return device.error();
  return token_history(*device, slots, positions);
}

std::optional<token_id> token_history::last_sampled(std::uint32_t slot) const noexcept {
  if (places_[slot].last < 0) return std::nullopt;
  return places_[slot].last;
}

void token_history::write(std::uint32_t slot, std::uint32_t first, std::span<const token_id> tokens) {
  auto& p = places_[slot];
  p.tokens.resize(first);
  p.tokens.insert(p.tokens.end(), tokens.begin(), tokens.end());
  if (first == 0) p.last = -1;
}

}  // namespace lorica::gpu
