#include "gpu/recorded_steps.hpp"

#include <algorithm>

namespace lorica::gpu {

result<recorded_steps> recorded_steps::record(std::span<const std::uint32_t> rows, const stream& s,
                                              const body& put) {
  recorded_steps out;
  out.rows_.assign(rows.begin(), rows.end());
  for (const bool adapters : {false, true})
    for (auto count : rows) {
      auto made = graph::capture(s, [&] { return put(count, adapters); });
      if (!made) return made.error();
      (adapters ? out.with_adapters_ : out.plain_).push_back(*std::move(made));
    }
  return out;
}

std::uint32_t recorded_steps::rows_for(std::uint32_t rows) const noexcept {
  const auto at = std::ranges::lower_bound(rows_, rows);
  return at == rows_.end() ? 0 : *at;
}

result<void> recorded_steps::launch(std::uint32_t rows, bool adapters, const stream& s) const {
  const auto at = static_cast<std::size_t>(std::ranges::lower_bound(rows_, rows) - rows_.begin());
  return (adapters ? with_adapters_ : plain_)[at].launch(s);
}

}  // namespace lorica::gpu
