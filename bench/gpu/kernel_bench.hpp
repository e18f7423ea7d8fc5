#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bench/gpu/device_room.hpp"
#include "gpu/gemm.hpp"
#include "gpu/lora.hpp"
#include "model/model_config.hpp"

namespace lorica::bench {

/// A group of projections as adapters see it.
struct kernel_site {
  std::string_view name;
  std::uint32_t depth = 0;
  std::vector<std::uint32_t> outputs;  ///< of its parts

  std::uint32_t width() const noexcept;
};

/// The four of a layer.
std::vector<kernel_site> kernel_sites(const model_config& m);

/// What the kernels of adapters are measured at: rows in equal shares for adapters of one rank.
struct kernel_point {
  kernel_site site;
  std::uint32_t rows = 1;
  std::uint32_t rank = 1;
  std::uint32_t adapters = 1;

  std::uint32_t ranks() const noexcept { return rank * static_cast<std::uint32_t>(site.outputs.size()); }
  /// X, A and the low-rank inputs.
  double shrink_bytes() const noexcept;
  /// The inputs, B, and Y in and out.
  double expand_bytes() const noexcept;
};

/// Seconds per launch.
struct kernel_times {
  times shrink, expand, pair;
  times products;  ///< products of cuBLASLt of the same sizes, one per adapter and one per part of each
};

/// Measures points one after the other in the same memory. Each launch reads other numbers than those before,
/// and the cache is emptied before each run. Throws `failure`.
class kernel_bench {
 public:
  /// Memory for the largest of `points`.
  kernel_bench(int device, const std::vector<kernel_point>& points, const random_numbers& numbers);

  kernel_times measure(const kernel_point& p, const repetition& how);

  /// By how much what the kernels make of the last launch's empty Y differs from the same sums on the host,
  /// over the largest of them: a few roundings of bfloat16 where what is measured is what it should be.
  double difference(const kernel_point& p);

 private:
  struct launches;
  launches lay_out(const kernel_point& p);
  void put_tables(const kernel_point& p, launches& to);
  void put_products(const kernel_point& p, launches& to);
  result<void> run_kernels(const launches& all, bool shrinks, bool expands) const;
  result<void> run_products(const launches& all);

  device_room room_;
  gpu::gemm products_;
  gpu::bfloat* numbers_ = nullptr;  // X, A and B
  std::uint64_t numbers_count_ = 0;
  gpu::bfloat* outputs_ = nullptr;  // Y
  float* inputs_ = nullptr;
  std::byte* tables_ = nullptr;
};

}  // namespace lorica::bench
