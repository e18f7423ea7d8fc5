#include "gpu/known_tokens.hpp"

#include <algorithm>

namespace lorica::gpu {

result<known_tokens> known_tokens::allocate(std::uint32_t positions) {
  auto memory = pinned_buffer::allocate(std::size_t{positions} * sizeof(token_id));
  if (!memory) return std::move(memory).error();
  return known_tokens(*std::move(memory));
}

result<void> known_tokens::send(const batch& step, const token_history& history, const stream& s) {
  auto room = memory_.as<token_id>();
  for (auto& q : step.sequences) {
    if (q.known == 0) continue;
    if (q.known > room.size()) {
      if (auto ok = s.synchronise(); !ok) return ok;
      room = memory_.as<token_id>();
    }
    std::ranges::copy(std::span(step.known).subspan(q.first_known, q.known), room.begin());
    auto* to = history.device() + q.slot * history.stride() + (q.context - q.known);
    if (auto ok = s.to_device(to, room.data(), q.known * sizeof(token_id)); !ok) return ok;
    room = room.subspan(q.known);
  }
  return {};
}

}  // namespace lorica::gpu
