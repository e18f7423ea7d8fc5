#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "gpu/graph.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Steps that only decode, recorded for some numbers of rows: one set with what adapters add and one without.
/// Loading and evicting adapters records nothing anew, as all that changes lies in device memory.
class recorded_steps {
 public:
  /// What puts a step of `rows` rows into streams.
  using body = std::function<result<void>(std::uint32_t rows, bool adapters)>;

  recorded_steps() = default;

  /// Records both sets for the numbers in `rows`, ascending.
  static result<recorded_steps> record(std::span<const std::uint32_t> rows, const stream& s, const body& put);

  /// The least recorded number of rows that holds `rows`; 0: none.
  std::uint32_t rows_for(std::uint32_t rows) const noexcept;

  /// Starts the step of exactly `rows` rows.
  result<void> launch(std::uint32_t rows, bool adapters, const stream& s) const;

  std::size_t count() const noexcept { return rows_.size(); }

 private:
  std::vector<std::uint32_t> rows_;
  std::vector<graph> plain_, with_adapters_;
};

}  // namespace lorica::gpu
