#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/error.hpp"
#include "gpu/arena.hpp"
#include "gpu/bfloat.hpp"
#include "gpu/e4m3.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// What becomes of the products.
enum class gemm_into : std::uint8_t { store, add };

/// Y = X Wᵀ + b, or Y += X Wᵀ + b.
///
/// X is bfloat16 [rows, depth], rows `x_stride` elements apart; W is bfloat16 [outputs, depth], as files have
/// it. b is [outputs] in the format of Y, or null. Y is [rows, outputs], rows `y_stride` elements apart. Sums
/// are float32. Fast where pointers and strides are multiples of 16 bytes.
struct gemm_args {
  const bfloat* x = nullptr;
  std::size_t x_stride = 0;  ///< elements
  std::uint32_t rows = 0;
  const bfloat* weights = nullptr;
  std::uint32_t depth = 0;
  std::uint32_t outputs = 0;
  const void* bias = nullptr;
  void* y = nullptr;
  std::size_t y_stride = 0;  ///< elements
  number_format format = number_format::bfloat16;
  gemm_into into = gemm_into::store;
};

/// Y = sx ⊙ (X Wᵀ) ⊙ sw + b of codes: row i of the sums times sx[i], output j times sw[j].
///
/// X is e4m3 [rows, depth], rows `x_stride` elements apart, sx float32 [rows]; W is e4m3 [outputs, depth], sw
/// float32 [outputs]; b is bfloat16 [outputs] or null; Y is bfloat16 [rows, outputs], rows `y_stride`
/// elements apart. `fits_codes(depth, outputs)` holds, and every row of X, W and Y begins on 16 bytes.
struct code_gemm_args {
  const e4m3* x = nullptr;
  std::size_t x_stride = 0;  ///< elements
  const float* x_scales = nullptr;
  std::uint32_t rows = 0;
  const e4m3* weights = nullptr;
  const float* weight_scales = nullptr;
  std::uint32_t depth = 0;
  std::uint32_t outputs = 0;
  const bfloat* bias = nullptr;
  bfloat* y = nullptr;
  std::size_t y_stride = 0;  ///< elements
};

/// Whether the tensor cores' products of codes have such a matrix: both its sizes are multiples of 16, the
/// number of rows is free (cuBLAS 13, cublasLtMatmul, requirements of FP8 kernels).
constexpr bool fits_codes(std::uint64_t depth, std::uint64_t outputs) noexcept {
  return depth % 16 == 0 && outputs % 16 == 0;
}

/// How products are chosen; fixed for a life.
struct gemm_options {
  std::uint64_t workspace_bytes = std::uint64_t{32} << 20;  ///< from the arena
  /// Above 0: the algorithm that is best for so many rows computes any number of them, and no sum is split,
  /// so that a row's bits do not depend on how many there are.
  std::uint32_t pinned_rows = 0;
  std::uint32_t plans = 4096;  ///< shapes that are remembered; one more forgets all
  /// Products of codes apply the scales of rows and outputs and the bias themselves; else a kernel behind
  /// them does. Only compute capability 9.0 can (`device_properties::scales_products`).
  bool scale_inside = false;
};

/// Matrix products by cuBLASLt. One per stream that computes: its workspace serves one product at a time. Not
/// thread-safe.
class gemm {
 public:
  /// Takes its workspace, named `name`, from the arena.
  static result<gemm> create(arena& memory, const gemm_options& options, const std::string& name = "gemm");
  gemm(gemm&&) noexcept;
  gemm& operator=(gemm&&) noexcept;
  ~gemm();

  /// Puts the product into `s`. No rows are nothing to do.
  result<void> run(const gemm_args& a, const stream& s);
  result<void> run(const code_gemm_args& a, const stream& s);

  /// Chooses how the product is computed, if that is not known: costs milliseconds, so it is done before a
  /// step is recorded.
  result<void> prepare(const gemm_args& a);
  result<void> prepare(const code_gemm_args& a);

  /// Shapes that are remembered.
  std::size_t plans() const noexcept;

 private:
  struct state;
  explicit gemm(std::unique_ptr<state> s);

  std::unique_ptr<state> state_;
};

}  // namespace lorica::gpu
