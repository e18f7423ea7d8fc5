#include "tests/emulated_device/matmul.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

struct emulated_blas {};
struct emulated_matmul {
  std::int32_t transpose_a = CUBLAS_OP_N, epilogue = CUBLASLT_EPILOGUE_DEFAULT, bias_type = -1;
  const void* bias = nullptr;
  std::int32_t a_mode = CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F, b_mode = a_mode;
  const float *a_scale = nullptr, *b_scale = nullptr;
};
struct emulated_layout {
  cudaDataType_t type;
  std::uint64_t rows, columns;
  std::int64_t stride;
};
struct emulated_preference {
  std::uint64_t workspace = 0;
  std::uint32_t reductions = ~0u, alignment[4] = {256, 256, 256, 256};
};

namespace {

std::size_t alive = 0;
std::uint64_t asked = 0;

template <class T, class... Arguments>
cublasStatus_t make(T** out, Arguments... arguments) {
  if (emulated_device::enter() != cudaSuccess) return CUBLAS_STATUS_ALLOC_FAILED;
  *out = new T{arguments...};
  ++alive;
  return CUBLAS_STATUS_SUCCESS;
}

template <class T>
cublasStatus_t drop(T* thing) {
  if (!thing) return CUBLAS_STATUS_INVALID_VALUE;
  delete thing;
  --alive;
  return CUBLAS_STATUS_SUCCESS;
}

/// Sign, 4 bits of exponent that count from 2^-7, 3 of mantissa; all ones are no number.
float of_e4m3(std::uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  if (exponent == 15 && mantissa == 7) return std::nanf("");
  const float size = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                   : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  return code & 0x80 ? -size : size;
}

float read(const void* from, cudaDataType_t type, std::size_t i) {
  static const auto codes = [] {
    std::array<float, 256> out{};
    for (unsigned code = 0; code < out.size(); ++code)
      out[code] = of_e4m3(static_cast<std::uint8_t>(code));
    return out;
  }();
  if (type == CUDA_R_8F_E4M3) return codes[static_cast<const std::uint8_t*>(from)[i]];
  if (type == CUDA_R_32F) return static_cast<const float*>(from)[i];
  return std::bit_cast<float>(std::uint32_t{static_cast<const std::uint16_t*>(from)[i]} << 16);
}

void write(float x, void* to, cudaDataType_t type, std::size_t i) {
  if (type == CUDA_R_32F) {
    static_cast<float*>(to)[i] = x;
    return;
  }
  auto bits = std::bit_cast<std::uint32_t>(x);
  bits = std::isnan(x) ? 0x7fffu << 16 : bits + 0x7fffu + (bits >> 16 & 1u);
  static_cast<std::uint16_t*>(to)[i] = static_cast<std::uint16_t>(bits >> 16);
}

/// A number for the whole matrix, one for each column, or none.
struct scales {
  const float* at = nullptr;
  bool each = false;

  float operator[](std::size_t i) const { return at ? at[each ? i : 0] : 1; }
};

struct product {
  emulated_layout a, b, d;
  const void *at_a, *at_b, *at_c, *bias;
  void* at_d;
  cudaDataType_t bias_type;
  float alpha, beta;
  scales of_a = {}, of_b = {};

  /// Every sum from the first term on; many side by side, because each waits for itself.
  void operator()() const {
    const auto depth = a.rows;
    std::vector<float> turned(depth * d.rows), sums(d.rows);
    for (std::uint64_t row = 0; row < d.rows; ++row)
      for (std::uint64_t k = 0; k < depth; ++k)
        turned[k * d.rows + row] = read(at_a, a.type, row * static_cast<std::uint64_t>(a.stride) + k);
    for (std::uint64_t column = 0; column < d.columns; ++column) {
      std::ranges::fill(sums, 0.0f);
      for (std::uint64_t k = 0; k < depth; ++k) {
        const float x = read(at_b, b.type, column * static_cast<std::uint64_t>(b.stride) + k);
        for (std::uint64_t row = 0; row < d.rows; ++row)
          sums[row] += turned[k * d.rows + row] * x;
      }
      for (std::uint64_t row = 0; row < d.rows; ++row)
        finish(sums[row] * (alpha * of_a[row] * of_b[column]), row, column);
    }
  }

 private:
  void finish(float sum, std::uint64_t row, std::uint64_t column) const {
    const auto place = column * static_cast<std::uint64_t>(d.stride) + row;
    if (bias) sum += read(bias, bias_type, row);
    if (beta != 0) sum += beta * read(at_c, d.type, place);
    write(sum, at_d, d.type, place);
  }
};

/// Whether the device multiplies these types, in these steps and with these scales.
bool multiplies(const emulated_matmul& m, const emulated_layout& a, const emulated_layout& b,
                const emulated_layout& d) {
  constexpr auto each = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
  const bool vectors = m.a_mode == each || m.b_mode == each;
  if (a.type == CUDA_R_16BF) return b.type == CUDA_R_16BF && !vectors && !m.a_scale && !m.b_scale;
  const auto can = emulated_device::capability_now();
  if (a.type != CUDA_R_8F_E4M3 || b.type != CUDA_R_8F_E4M3 || can.major * 10 + can.minor < 89) return false;
  if (vectors && (m.a_mode != m.b_mode || can.major != 9 || can.minor != 0)) return false;
  return a.rows % 16 == 0 && d.rows % 16 == 0 && a.stride % 16 == 0 && b.stride % 16 == 0;
}

bool fits(const emulated_matmul& m, const emulated_layout& a, const emulated_layout& b,
          const emulated_layout& c, const emulated_layout& d) {
  return m.transpose_a == CUBLAS_OP_T && multiplies(m, a, b, d) && c.type == d.type && a.rows == b.rows &&
         a.columns == d.rows && b.columns == d.columns && c.rows == d.rows && c.columns == d.columns &&
         c.stride == d.stride && a.stride >= static_cast<std::int64_t>(a.rows) &&
         b.stride >= static_cast<std::int64_t>(b.rows) && d.stride >= static_cast<std::int64_t>(d.rows) &&
         d.rows != 0 && d.columns != 0 && (m.bias_type < 0 || m.bias_type == d.type);
}

// An algorithm remembers what it was chosen for.
enum algo_field { algo_outputs, algo_depth, algo_alignment_a, algo_alignment_b, algo_alignment_d };

bool aligned(const void* at, std::uint64_t to) {
  return reinterpret_cast<std::uintptr_t>(at) % to == 0;
}

}  // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  return make(handle);
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return drop(handle);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* out, cublasComputeType_t, cudaDataType_t) {
  return make(out);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc) {
  return drop(desc);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t what,
                                              const void* value, std::size_t bytes) {
  auto take = [&](void* to, std::size_t size) {
    if (bytes != size) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(to, value, size);
    return CUBLAS_STATUS_SUCCESS;
  };
  switch (what) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return take(&desc->transpose_a, sizeof desc->transpose_a);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return take(&desc->epilogue, sizeof desc->epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return take(&desc->bias, sizeof desc->bias);
    case CUBLASLT_MATMUL_DESC_A_SCALE_MODE: return take(&desc->a_mode, sizeof desc->a_mode);
    case CUBLASLT_MATMUL_DESC_B_SCALE_MODE: return take(&desc->b_mode, sizeof desc->b_mode);
    case CUBLASLT_MATMUL_DESC_A_SCALE_POINTER: return take(&desc->a_scale, sizeof desc->a_scale);
    case CUBLASLT_MATMUL_DESC_B_SCALE_POINTER: return take(&desc->b_scale, sizeof desc->b_scale);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE: return take(&desc->bias_type, sizeof desc->bias_type);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* out, cudaDataType_t type,
                                          std::uint64_t rows, std::uint64_t columns, std::int64_t stride) {
  return make(out, type, rows, columns, stride);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return drop(layout);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* out) {
  return make(out);
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return drop(preference);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t what,
                                                    const void* value, std::size_t bytes) {
  if (what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
    if (bytes != sizeof preference->workspace) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(&preference->workspace, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
  }
  if (bytes != sizeof(std::uint32_t)) return CUBLAS_STATUS_INVALID_VALUE;
  auto* to = what == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK
                 ? &preference->reductions
                 : &preference->alignment[what - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES];
  std::memcpy(to, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  ++asked;
  if (emulated_device::enter() != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  *found = 0;
  if (wanted < 1 || !fits(*desc, *a, *b, *c, *d)) return CUBLAS_STATUS_NOT_SUPPORTED;
  *results = {};
  results->algo.data[algo_outputs] = d->rows;
  results->algo.data[algo_depth] = a->rows;
  results->algo.data[algo_alignment_a] = preference->alignment[0];
  results->algo.data[algo_alignment_b] = preference->alignment[1];
  results->algo.data[algo_alignment_d] = preference->alignment[3];
  results->workspaceSize = preference->workspace;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                                       cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                       cublasLtMatrixLayout_t d, const cublasLtMatmulAlgo_t* algo,
                                       cublasLtMatmulHeuristicResult_t* result) {
  if (!fits(*desc, *a, *b, *c, *d) || algo->data[algo_outputs] != d->rows ||
      algo->data[algo_depth] != a->rows)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  *result = {};
  result->algo = *algo;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t desc, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo, void*,
                              std::size_t, cudaStream_t stream) {
  if (!fits(*desc, *a_layout, *b_layout, *c_layout, *d_layout)) return CUBLAS_STATUS_INVALID_VALUE;
  if (algo->data[algo_outputs] != d_layout->rows || algo->data[algo_depth] != a_layout->rows ||
      !aligned(a, algo->data[algo_alignment_a]) || !aligned(b, algo->data[algo_alignment_b]) ||
      !aligned(c, algo->data[algo_alignment_d]) || !aligned(d, algo->data[algo_alignment_d]))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  const bool each = desc->a_mode == CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
  if (each && (!desc->a_scale || !desc->b_scale)) return CUBLAS_STATUS_INVALID_VALUE;
  if (a_layout->type == CUDA_R_8F_E4M3 && !(aligned(a, 16) && aligned(b, 16) && aligned(d, 16)))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  product p{*a_layout, *b_layout, *d_layout, a, b, c, nullptr, d, d_layout->type, 1, 0};
  if (desc->epilogue == CUBLASLT_EPILOGUE_BIAS) p.bias = desc->bias;
  p.of_a = {desc->a_scale, each};
  p.of_b = {desc->b_scale, each};
  p.alpha = *static_cast<const float*>(alpha);
  p.beta = *static_cast<const float*>(beta);
  auto failed = emulated_device::enqueue(stream, [p] {
    p();
    return cudaSuccess;
  });
  return failed == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

namespace emulated_device {

std::uint64_t heuristics_asked() {
  return asked;
}
std::size_t blas_things_alive() {
  return alive;
}

}  // namespace emulated_device
