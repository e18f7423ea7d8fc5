#include "cpu/attention.hpp"

#include "cpu/kv_cache.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// A sequence whose K and V went through the rope kernel into a scattered cache, position by position.
/// Rotation is by the angle `position * 0.1 * (k + 1)`.
struct world {
  std::uint32_t heads, kv_heads, dim, block_tokens, tokens;
  cpu_dtype dtype;
  const kernel_table& kernels;
  std::vector<float> query, key, value;  // [tokens][heads][dim]
  std::vector<std::uint32_t> table;
  elements cache, q;

  world(isa which, cpu_dtype d, std::uint32_t h, std::uint32_t kv, std::uint32_t head_dim,
        std::uint32_t block, std::uint32_t n)
      : heads(h),
        kv_heads(kv),
        dim(head_dim),
        block_tokens(block),
        tokens(n),
        dtype(d),
        kernels(kernels_for(which, d)),
        query(some_numbers(std::size_t{n} * h * head_dim, 51)),
        key(some_numbers(std::size_t{n} * kv * head_dim, 52)),
        value(some_numbers(std::size_t{n} * kv * head_dim, 53)),
        cache(d, 0),
        q(d, std::size_t{n} * h * padded()) {
    const auto blocks = (n + block - 1) / block;
    cache = elements(d, std::size_t{blocks + 2} * kv * head_elements());
    for (std::size_t i = 0; i < std::size_t{blocks + 2} * kv * head_elements(); ++i)
      cache.set(i, std::nanf(""));  // whatever was not written must not matter
    for (std::uint32_t b = 0; b < blocks; ++b)
      table.push_back((b * 7 + 3) % (blocks + 2));
    for (std::uint32_t p = 0; p < n; ++p)
      write(p);
  }

  std::uint32_t padded() const { return padded_head_dim(dim); }
  std::size_t head_elements() const { return std::size_t{2} * block_tokens * padded(); }
  std::size_t head_stride() const { return head_elements() * element_bytes(dtype); }
  static double angle(std::uint32_t position, std::uint32_t k) { return position * 0.1 * (k + 1); }

  void write(std::uint32_t p) {
    std::vector<float> cos(dim / 2), sin(dim / 2);
    for (std::uint32_t k = 0; k < dim / 2; ++k) {
      cos[k] = static_cast<float>(std::cos(angle(p, k)));
      sin[k] = static_cast<float>(std::sin(angle(p, k)));
    }
    kernels.rope({&query[std::size_t{p} * heads * dim], &key[std::size_t{p} * kv_heads * dim],
                  &value[std::size_t{p} * kv_heads * dim], cos.data(), sin.data(), heads, kv_heads, dim,
                  padded(), q.at(std::size_t{p} * heads * padded()),
                  cache.at(std::size_t{table[p / block_tokens]} * kv_heads * head_elements()), head_stride(),
                  block_tokens, p % block_tokens});
  }

  /// Query heads [first, first + count) of the row at `position`, which share a key-value head.
  elements attend(std::uint32_t position, std::uint32_t first, std::uint32_t count) {
    elements y(dtype, std::size_t{count} * dim);
    const auto kv = first / (heads / kv_heads);
    kernels.attention({q.at((std::size_t{position} * heads + first) * padded()), count, dim, padded(),
                       cache.at(kv * head_elements()), kv_heads * head_stride(), table.data(), block_tokens,
                       position + 1, 1 / std::sqrt(static_cast<float>(dim)), y.at(0)});
    return y;
  }

  std::vector<double> turned(const float* x, std::uint32_t position) const {
    std::vector<double> out(dim);
    for (std::uint32_t k = 0; k < dim / 2; ++k) {
      const double c = std::cos(angle(position, k)), s = std::sin(angle(position, k));
      const double left = static_cast<double>(x[k]), right = static_cast<double>(x[k + dim / 2]);
      out[k] = left * c - right * s;
      out[k + dim / 2] = right * c + left * s;
    }
    return out;
  }

  std::vector<double> expected(std::uint32_t position, std::uint32_t head) const {
    const auto kv = head / (heads / kv_heads);
    auto turned_q = turned(&query[(std::size_t{position} * heads + head) * dim], position);
    std::vector<double> out(dim);
    double total = 0;
    for (std::uint32_t t = 0; t <= position; ++t) {
      auto k = turned(&key[(std::size_t{t} * kv_heads + kv) * dim], t);
      double score = 0;
      for (std::uint32_t d = 0; d < dim; ++d)
        score += turned_q[d] * k[d];
      const double weight = std::exp(score / std::sqrt(dim));
      total += weight;
      for (std::uint32_t d = 0; d < dim; ++d)
        out[d] += weight * static_cast<double>(value[(std::size_t{t} * kv_heads + kv) * dim + d]);
    }
    for (auto& v : out)
      v /= total;
    return out;
  }
};

}  // namespace

TEST_CASE("attention over scattered blocks equals the softmax written out") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto dim = GENERATE(2u, 10u, 16u, 64u, 80u);
  auto group = GENERATE(1u, 2u, 3u, 7u);
  auto block = GENERATE(16u, 48u);
  INFO(to_string(which) << ' ' << to_string(dtype) << " dim " << dim << " group " << group << " block "
                        << block);
  world w(which, dtype, 2 * group, 2, dim, block, 53);
  for (std::uint32_t position : {0u, 1u, 15u, 16u, 31u, 47u, 48u, 52u}) {
    auto y = w.attend(position, group, group);
    double worst = 0;
    for (std::uint32_t h = 0; h < group; ++h) {
      auto want = w.expected(position, group + h);
      for (std::uint32_t d = 0; d < dim; ++d)
        worst = std::max(worst, std::abs(static_cast<double>(y.value(std::size_t{h} * dim + d)) - want[d]));
    }
    CHECK(worst < (dtype == cpu_dtype::float32 ? 1e-5 : 2e-2));
    // A head alone gives the bits it gives among its group.
    auto alone = w.attend(position, 2 * group - 1, 1);
    for (std::uint32_t d = 0; d < dim; ++d)
      CHECK(alone.value(d) == y.value(std::size_t{group - 1} * dim + d));
  }
}
