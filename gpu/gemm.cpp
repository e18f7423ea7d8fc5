#include "gpu/gemm.hpp"

#include <algorithm>
#include <bit>
#include <compare>
#include <map>

#include "gpu/cuda_error.hpp"
#include "gpu/scaled_products.hpp"

namespace lorica::gpu {
namespace {

struct drop_blas {
  void operator()(cublasLtHandle_t h) const noexcept { static_cast<void>(cublasLtDestroy(h)); }
  void operator()(cublasLtMatmulDesc_t d) const noexcept { static_cast<void>(cublasLtMatmulDescDestroy(d)); }
  void operator()(cublasLtMatrixLayout_t l) const noexcept {
    static_cast<void>(cublasLtMatrixLayoutDestroy(l));
  }
  void operator()(cublasLtMatmulPreference_t p) const noexcept {
    static_cast<void>(cublasLtMatmulPreferenceDestroy(p));
  }
};
template <class Pointer>
using held = std::unique_ptr<std::remove_pointer_t<Pointer>, drop_blas>;

constexpr std::uint32_t most_alignment = 256, pinned_alignment = 16;

/// The largest power of two, up to 256, that divides the address and the step from row to row.
std::uint32_t alignment_of(const void* at, std::size_t stride_bytes) {
  const auto bits = reinterpret_cast<std::uintptr_t>(at) | stride_bytes | most_alignment;
  return 1u << std::countr_zero(bits);
}

/// What is multiplied: numbers, or codes without or with their scales.
enum class factors : std::uint8_t { bfloats, codes, scaled_codes };

/// What an algorithm is chosen by.
struct shape {
  std::uint32_t rows, depth, outputs;
  std::size_t x_stride, y_stride;
  std::uint32_t align_w, align_x, align_y;
  number_format format;
  gemm_into into;
  bool bias;
  factors of;

  auto operator<=>(const shape&) const = default;
};

/// What is multiplied, and where it lies.
struct product {
  shape is;
  const void *w, *x, *bias;
  void* y;
  const float *w_scales, *x_scales;
};

product product_of(const gemm_args& a) {
  const shape s{a.rows,
                a.depth,
                a.outputs,
                a.x_stride,
                a.y_stride,
                alignment_of(a.weights, a.depth * sizeof(bfloat)),
                alignment_of(a.x, a.x_stride * sizeof(bfloat)),
                alignment_of(a.y, a.y_stride * bytes_of(a.format)),
                a.format,
                a.into,
                a.bias != nullptr,
                factors::bfloats};
  return {s, a.weights, a.x, a.bias, a.y, nullptr, nullptr};
}

/// `scaled`: with scales and bias; else the sums alone.
product product_of(const code_gemm_args& a, bool scaled) {
  const auto* bias = scaled ? a.bias : nullptr;
  const shape s{a.rows,
                a.depth,
                a.outputs,
                a.x_stride,
                a.y_stride,
                alignment_of(a.weights, a.depth),
                alignment_of(a.x, a.x_stride),
                alignment_of(a.y, a.y_stride * sizeof(bfloat)),
                number_format::bfloat16,
                gemm_into::store,
                bias != nullptr,
                scaled ? factors::scaled_codes : factors::codes};
  return {s, a.weights, a.x, bias, a.y, scaled ? a.weight_scales : nullptr, scaled ? a.x_scales : nullptr};
}

cudaDataType_t type_of(number_format f) {
  return f == number_format::bfloat16 ? CUDA_R_16BF : CUDA_R_32F;
}

/// A shape as the library wants it: on columns, so that Yᵀ = W Xᵀ.
struct plan {
  held<cublasLtMatmulDesc_t> product;
  held<cublasLtMatrixLayout_t> w, x, y;
  cublasLtMatmulAlgo_t algorithm{};
};

template <class T>
result<void> set(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t what, const T& value) {
  return checked(cublasLtMatmulDescSetAttribute(d, what, &value, sizeof value), "describing a product");
}

template <class T>
result<void> set(cublasLtMatmulPreference_t p, cublasLtMatmulPreferenceAttributes_t what, const T& value) {
  return checked(cublasLtMatmulPreferenceSetAttribute(p, what, &value, sizeof value), "describing a product");
}

result<void> describe_product(const shape& s, plan& out) {
  cublasLtMatmulDesc_t d = nullptr;
  if (auto ok = checked(cublasLtMatmulDescCreate(&d, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
      !ok)
    return ok;
  out.product.reset(d);
  const std::int32_t transposed = CUBLAS_OP_T;
  if (auto ok = set(d, CUBLASLT_MATMUL_DESC_TRANSA, transposed); !ok) return ok;
  if (s.of == factors::scaled_codes) {
    const std::int32_t of_each = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    if (auto ok = set(d, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, of_each); !ok) return ok;
    if (auto ok = set(d, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, of_each); !ok) return ok;
  }
  if (!s.bias) return {};
  const std::int32_t epilogue = CUBLASLT_EPILOGUE_BIAS, bias_type = type_of(s.format);
  if (auto ok = set(d, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue); !ok) return ok;
  return set(d, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, bias_type);
}

result<void> describe_matrix(cudaDataType_t type, std::uint64_t rows, std::uint64_t columns,
                             std::size_t stride, held<cublasLtMatrixLayout_t>& out) {
  cublasLtMatrixLayout_t l = nullptr;
  const auto code = cublasLtMatrixLayoutCreate(&l, type, rows, columns, static_cast<std::int64_t>(stride));
  if (auto ok = checked(code, "describing a matrix"); !ok) return ok;
  out.reset(l);
  return {};
}

/// Tells a described product where the vectors lie that it reads beside the matrices.
result<void> point(const plan& to, const product& p) {
  auto* d = to.product.get();
  if (p.bias)
    if (auto ok = set(d, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias); !ok) return ok;
  if (p.is.of != factors::scaled_codes) return {};
  if (auto ok = set(d, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, p.w_scales); !ok) return ok;
  return set(d, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, p.x_scales);
}

result<plan> describe(const shape& s) {
  plan out;
  const auto type = s.of == factors::bfloats ? CUDA_R_16BF : CUDA_R_8F_E4M3;
  if (auto ok = describe_product(s, out); !ok) return ok.error();
  if (auto ok = describe_matrix(type, s.depth, s.outputs, s.depth, out.w); !ok) return ok.error();
  if (auto ok = describe_matrix(type, s.depth, s.rows, s.x_stride, out.x); !ok) return ok.error();
  if (auto ok = describe_matrix(type_of(s.format), s.outputs, s.rows, s.y_stride, out.y); !ok)
    return ok.error();
  return out;
}

std::string text_of(const shape& s) {
  return "choosing a product of " + std::to_string(s.rows) + " rows, " + std::to_string(s.depth) +
         " inputs and " + std::to_string(s.outputs) +
         (s.of == factors::bfloats ? " outputs" : " outputs in e4m3");
}

}  // namespace

struct gemm::state {
  held<cublasLtHandle_t> library;
  gemm_options options;
  std::byte* workspace = nullptr;
  std::map<shape, plan> plans;
  std::map<shape, cublasLtMatmulAlgo_t> pinned;  ///< by a shape of `pinned_rows` rows

  /// What the library thinks best.
  result<cublasLtMatmulAlgo_t> best(const shape& s, const plan& p) const {
    cublasLtMatmulPreference_t raw = nullptr;
    if (auto ok = checked(cublasLtMatmulPreferenceCreate(&raw), "describing a product"); !ok)
      return ok.error();
    held<cublasLtMatmulPreference_t> preference(raw);
    if (auto ok = set(raw, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, options.workspace_bytes); !ok)
      return ok.error();
    const std::uint32_t no_split = CUBLASLT_REDUCTION_SCHEME_NONE;
    if (options.pinned_rows != 0)
      if (auto ok = set(raw, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, no_split); !ok) return ok.error();
    const std::pair<cublasLtMatmulPreferenceAttributes_t, std::uint32_t> alignments[] = {
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, s.align_w},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, s.align_x},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, s.align_y},
        {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, s.align_y}};
    for (auto& [what, bytes] : alignments)
      if (auto ok = set(raw, what, bytes); !ok) return ok.error();
    cublasLtMatmulHeuristicResult_t found{};
    int count = 0;
    const auto code = cublasLtMatmulAlgoGetHeuristic(library.get(), p.product.get(), p.w.get(), p.x.get(),
                                                     p.y.get(), p.y.get(), raw, 1, &found, &count);
    if (auto ok = checked(code, text_of(s)); !ok) return ok.error();
    if (count == 0) return fail(errc::generation_failed, text_of(s) + " failed: no algorithm fits");
    return found.algo;
  }

  /// The one algorithm of all numbers of rows.
  result<cublasLtMatmulAlgo_t> pinned_for(const product& of, const plan& p) {
    const auto asked = of.is;
    auto s = asked;
    s.rows = options.pinned_rows;
    for (auto* bytes : {&s.align_w, &s.align_x, &s.align_y})
      *bytes = std::min(*bytes, pinned_alignment);
    auto found = pinned.find(s);
    if (found == pinned.end()) {
      auto reference = describe(s);
      if (!reference) return reference.error();
      if (auto ok = point(*reference, of); !ok) return ok.error();
      auto algorithm = best(s, *reference);
      if (!algorithm) return algorithm.error();
      found = pinned.emplace(s, *algorithm).first;
    }
    cublasLtMatmulHeuristicResult_t fit{};
    const auto code = cublasLtMatmulAlgoCheck(library.get(), p.product.get(), p.w.get(), p.x.get(), p.y.get(),
                                              p.y.get(), &found->second, &fit);
    if (auto ok = checked(code, text_of(asked)); !ok) return ok.error();
    if (fit.workspaceSize > options.workspace_bytes)
      return fail(errc::out_of_memory, text_of(asked) + " failed: its workspace needs " +
                                           std::to_string(fit.workspaceSize) + " bytes of " +
                                           std::to_string(options.workspace_bytes));
    return found->second;
  }

  result<const plan*> plan_for(const product& of) {
    const auto& s = of.is;
    if (auto found = plans.find(s); found != plans.end()) return &found->second;
    auto made = describe(s);
    if (!made) return made.error();
    if (auto ok = point(*made, of); !ok) return ok.error();
    auto algorithm = options.pinned_rows == 0 ? best(s, *made) : pinned_for(of, *made);
    if (!algorithm) return algorithm.error();
    made->algorithm = *algorithm;
    if (plans.size() >= options.plans) plans.clear();
    return &plans.emplace(s, *std::move(made)).first->second;
  }

  result<void> run(const product& of, const stream& s) {
    auto found = plan_for(of);
    if (!found) return found.error();
    const plan& p = **found;
    if (auto ok = point(p, of); !ok) return ok;
    const float alpha = 1, beta = of.is.into == gemm_into::add ? 1.0f : 0.0f;
    return checked(cublasLtMatmul(library.get(), p.product.get(), &alpha, of.w, p.w.get(), of.x, p.x.get(),
                                  &beta, of.y, p.y.get(), of.y, p.y.get(), &p.algorithm, workspace,
                                  options.workspace_bytes, s.native()),
                   "a matrix product");
  }
};

gemm::gemm(std::unique_ptr<state> s) : state_(std::move(s)) {}
gemm::gemm(gemm&&) noexcept = default;
gemm& gemm::operator=(gemm&&) noexcept = default;
gemm::~gemm() = default;

result<gemm> gemm::create(arena& memory, const gemm_options& options, const std::string& name) {
  auto s = std::make_unique<state>();
  s->options = options;
  cublasLtHandle_t library = nullptr;
  if (auto ok = checked(cublasLtCreate(&library), "opening cuBLAS"); !ok) return ok.error();
  s->library.reset(library);
  auto workspace = memory.take(memory_part::workspace, name, options.workspace_bytes);
  if (!workspace) return workspace.error();
  s->workspace = *workspace;
  return gemm(std::move(s));
}

std::size_t gemm::plans() const noexcept {
  return state_->plans.size();
}

result<void> gemm::prepare(const gemm_args& a) {
  if (a.rows == 0) return {};
  auto p = state_->plan_for(product_of(a));
  if (!p) return p.error();
  return {};
}

result<void> gemm::prepare(const code_gemm_args& a) {
  if (a.rows == 0) return {};
  auto p = state_->plan_for(product_of(a, state_->options.scale_inside));
  if (!p) return p.error();
  return {};
}

result<void> gemm::run(const gemm_args& a, const stream& s) {
  if (a.rows == 0) return {};
  return state_->run(product_of(a), s);
}

result<void> gemm::run(const code_gemm_args& a, const stream& s) {
  if (a.rows == 0) return {};
  const bool inside = state_->options.scale_inside;
  if (auto ok = state_->run(product_of(a, inside), s); !ok || inside) return ok;
  return scale_products({a.y, a.y_stride, a.rows, a.outputs, a.x_scales, a.weight_scales, a.bias}, s);
}

}  // namespace lorica::gpu
