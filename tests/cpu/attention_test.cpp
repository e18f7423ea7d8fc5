#include "cpu/attention.hpp"

#include <algorithm>
#include <numeric>

#include "cpu/kv_cache.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// A sequence whose K and V went through the rope kernel into a scattered cache, position by position.
/// Rotation is by the angle `position * turn * (k + 1)`.
struct world {
  std::uint32_t heads, kv_heads, dim, block_tokens, tokens;
  double turn;
  cpu_dtype dtype;
  const kernel_table& kernels;
  std::vector<float> query, key, value;  // [tokens][heads][dim]
  std::vector<std::uint32_t> table;
  elements cache, q;
  std::uint32_t rotary_dim, window = 0;
  float softcap = 0, epsilon = 1e-3f;
  std::vector<float> q_norm, k_norm;  // [padded], or empty

  world(isa which, cpu_dtype d, std::uint32_t h, std::uint32_t kv, std::uint32_t head_dim,
        std::uint32_t block, std::uint32_t n, double turn_by = 0.1)
      : heads(h),
        kv_heads(kv),
        dim(head_dim),
        block_tokens(block),
        tokens(n),
        turn(turn_by),
        dtype(d),
        kernels(kernels_for(which, d)),
        query(some_numbers(std::size_t{n} * h * head_dim, 51)),
        key(some_numbers(std::size_t{n} * kv * head_dim, 52)),
        value(some_numbers(std::size_t{n} * kv * head_dim, 53)),
        cache(d, 0),
        q(d, std::size_t{n} * h * padded()),
        rotary_dim(head_dim) {
    const auto blocks = (n + block - 1) / block;
    cache = elements(d, std::size_t{blocks + 2} * kv * head_elements());
    for (std::size_t i = 0; i < std::size_t{blocks + 2} * kv * head_elements(); ++i)
      cache.set(i, std::nanf(""));  // whatever was not written must not matter
    for (std::uint32_t b = 0; b < blocks; ++b)
      table.push_back((b * 7 + 3) % (blocks + 2));
    write_all();
  }

  void write_all() {
    for (std::uint32_t p = 0; p < tokens; ++p)
      write(p);
  }

  std::uint32_t first_seen(std::uint32_t position) const {
    return window != 0 && position + 1 > window ? position + 1 - window : 0;
  }

  std::uint32_t padded() const { return padded_head_dim(dim); }
  std::size_t head_elements() const { return std::size_t{2} * block_tokens * padded(); }
  std::size_t head_stride() const { return head_elements() * element_bytes(dtype); }
  double angle(std::uint32_t position, std::uint32_t k) const { return position * turn * (k + 1); }

  void write(std::uint32_t p) {
    std::vector<float> cos(dim / 2), sin(dim / 2);
    for (std::uint32_t k = 0; k < dim / 2; ++k) {
      cos[k] = static_cast<float>(std::cos(angle(p, k)));
      sin[k] = static_cast<float>(std::sin(angle(p, k)));
    }
    rope_args a;
    a.query = &query[std::size_t{p} * heads * dim];
    a.key = &key[std::size_t{p} * kv_heads * dim];
    a.value = &value[std::size_t{p} * kv_heads * dim];
    a.cos = cos.data();
    a.sin = sin.data();
    a.heads = heads;
    a.kv_heads = kv_heads;
    a.head_dim = dim;
    a.rotary_dim = rotary_dim;
    a.padded_dim = padded();
    a.q_norm = q_norm.empty() ? nullptr : q_norm.data();
    a.k_norm = k_norm.empty() ? nullptr : k_norm.data();
    a.epsilon = epsilon;
    a.q = q.at(std::size_t{p} * heads * padded());
    a.cache = cache.at(std::size_t{table[p / block_tokens]} * kv_heads * head_elements());
    a.head_stride = head_stride();
    a.block_tokens = block_tokens;
    a.token = p % block_tokens;
    kernels.rope(a);
  }

  /// Query heads [first, first + count) of `rows` rows from `position` on, which share a key-value head.
  elements attend(std::uint32_t position, std::uint32_t first, std::uint32_t count, std::uint32_t rows = 1) {
    elements y(dtype, std::size_t{rows} * count * dim);
    const auto kv = first / (heads / kv_heads);
    attention_args a;
    a.q = q.at((std::size_t{position} * heads + first) * padded());
    a.q_stride = std::size_t{heads} * padded();
    a.rows = rows;
    a.heads = count;
    a.head_dim = dim;
    a.padded_dim = padded();
    a.seen = {cache.at(kv * head_elements()), table.data(), first_seen(position), position + rows};
    a.next = {cache.at(0), table.data(), 0, tokens};  // whatever is asked for changes nothing
    a.cold = true;
    a.window = window;
    a.block_stride = kv_heads * head_stride();
    a.block_tokens = block_tokens;
    a.scale = 1 / std::sqrt(static_cast<float>(dim));
    a.softcap = softcap;
    a.y = y.at(0);
    a.y_stride = std::size_t{count} * dim;
    kernels.attention(a);
    return y;
  }

  std::vector<double> turned(const float* x, const std::vector<float>& norm, std::uint32_t position) const {
    std::vector<double> out(x, x + dim);
    double squares = 0;
    for (auto v : out)
      squares += v * v;
    for (std::uint32_t k = 0; k < dim && !norm.empty(); ++k)
      out[k] *= static_cast<double>(norm[k]) / std::sqrt(squares / dim + static_cast<double>(epsilon));
    for (std::uint32_t k = 0; k < rotary_dim / 2; ++k) {
      const double c = std::cos(angle(position, k)), s = std::sin(angle(position, k));
      const double left = out[k], right = out[k + rotary_dim / 2];
      out[k] = left * c - right * s;
      out[k + rotary_dim / 2] = right * c + left * s;
    }
    return out;
  }

  std::vector<double> expected(std::uint32_t position, std::uint32_t head) const {
    const auto kv = head / (heads / kv_heads);
    auto turned_q = turned(&query[(std::size_t{position} * heads + head) * dim], q_norm, position);
    std::vector<double> out(dim), scores;
    for (std::uint32_t t = first_seen(position); t <= position; ++t) {
      auto k = turned(&key[(std::size_t{t} * kv_heads + kv) * dim], k_norm, t);
      auto score = std::inner_product(k.begin(), k.end(), turned_q.begin(), 0.0) / std::sqrt(dim);
      const auto cap = static_cast<double>(softcap);
      scores.push_back(cap > 0 ? cap * std::tanh(score / cap) : score);
    }
    const double highest = *std::max_element(scores.begin(), scores.end());
    double total = 0;
    for (std::uint32_t t = first_seen(position); t <= position; ++t) {
      const double weight = std::exp(scores[t - first_seen(position)] - highest);
      total += weight;
      for (std::uint32_t d = 0; d < dim; ++d)
        out[d] += weight * static_cast<double>(value[(std::size_t{t} * kv_heads + kv) * dim + d]);
    }
    for (auto& v : out)
      v /= total;
    return out;
  }
};

/// Largest distance of the second group of heads at a position from the softmax written out.
double distance(world& w, std::uint32_t position, std::uint32_t group) {
  auto y = w.attend(position, group, group);
  double worst = 0;
  for (std::uint32_t h = 0; h < group; ++h) {
    auto want = w.expected(position, group + h);
    for (std::uint32_t d = 0; d < w.dim; ++d)
      worst = std::max(worst, std::abs(static_cast<double>(y.value(std::size_t{h} * w.dim + d)) - want[d]));
  }
  return worst;
}

}  // namespace

TEST_CASE("attention over scattered blocks equals the softmax written out") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto dim = GENERATE(2u, 10u, 16u, 64u, 80u);
  auto group = GENERATE(1u, 2u, 3u, 7u, 9u);
  auto block = GENERATE(16u, 48u);
  INFO(to_string(which) << ' ' << to_string(dtype) << " dim " << dim << " group " << group << " block "
                        << block);
  world w(which, dtype, 2 * group, 2, dim, block, 53);
  for (std::uint32_t position : {0u, 1u, 15u, 16u, 31u, 47u, 48u, 52u}) {
    CHECK(distance(w, position, group) < (dtype == cpu_dtype::float32 ? 1e-5 : 2e-2));
    // A head alone gives the bits it gives among its group.
    auto y = w.attend(position, group, group);
    auto alone = w.attend(position, 2 * group - 1, 1);
    for (std::uint32_t d = 0; d < dim; ++d)
      CHECK(alone.value(d) == y.value(std::size_t{group - 1} * dim + d));
  }
}

TEST_CASE("a row sees its window only, whatever lies before it") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto window = GENERATE(1u, 2u, 15u, 16u, 17u, 32u, 33u, 70u, 200u);
  auto group = GENERATE(1u, 3u);
  INFO(to_string(which) << ' ' << to_string(dtype) << " window " << window << " group " << group);
  world w(which, dtype, 2 * group, 2, 20, 16, 101);
  w.window = window;
  for (std::uint32_t position : {0u, 14u, 15u, 16u, 31u, 32u, 33u, 47u, 63u, 64u, 65u, 100u}) {
    INFO("position " << position);
    CHECK(distance(w, position, group) < (dtype == cpu_dtype::float32 ? 1e-5 : 2e-2));
  }
  // What lies before the window has no say.
  auto y = w.attend(100, 0, 1);
  for (std::uint32_t p = 0; p < w.first_seen(100); ++p) {
    for (std::uint32_t d = 0; d < 2 * w.dim; ++d) {
      w.key[std::size_t{p} * 2 * w.dim + d] = 3.0f;
      w.value[std::size_t{p} * 2 * w.dim + d] = -50.0f;
    }
    w.write(p);
  }
  auto again = w.attend(100, 0, 1);
  for (std::uint32_t d = 0; d < w.dim; ++d)
    CHECK(y.value(d) == again.value(d));
}

TEST_CASE("neighbouring rows together give the bits that each gives alone") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto group = GENERATE(1u, 3u, 7u);
  auto window = GENERATE(0u, 17u, 40u);
  INFO(to_string(which) << ' ' << to_string(dtype) << " group " << group << " window " << window);
  world w(which, dtype, 2 * group, 2, 20, 16, 101);
  w.window = window;
  for (std::uint32_t position : {0u, 13u, 31u, 62u, 96u})
    for (std::uint32_t rows : {2u, 3u, 4u, 5u}) {
      auto together = w.attend(position, group, group, rows);
      std::uint32_t differing = 0;
      for (std::uint32_t row = 0; row < rows; ++row) {
        auto alone = w.attend(position + row, group, group);
        for (std::size_t i = 0; i < std::size_t{group} * w.dim; ++i)
          differing += alone.value(i) != together.value(std::size_t{row} * group * w.dim + i) ? 1 : 0;
      }
      INFO("position " << position << " rows " << rows);
      CHECK(differing == 0);
    }
}

TEST_CASE("scores are capped, heads normalised, and a part of a head turned, where the model says so") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which) << ' ' << to_string(dtype));
  world w(which, dtype, 4, 2, 24, 16, 40);
  const double limit = dtype == cpu_dtype::float32 ? 1e-5 : 3e-2;
  const auto plain = w.expected(39, 2);
  SECTION("softcap") {
    w.softcap = 0.05f;
  }
  SECTION("norms of q and k") {
    w.q_norm = some_numbers(w.padded(), 61);
    w.k_norm = some_numbers(w.padded(), 62);
    for (auto k = w.dim; k < w.padded(); ++k)
      w.q_norm[k] = w.k_norm[k] = 0;
  }
  SECTION("partial rotation") {
    w.rotary_dim = 8;
  }
  w.write_all();
  for (std::uint32_t position : {0u, 1u, 17u, 39u})
    CHECK(distance(w, position, 2) < limit);
  const auto changed = w.expected(39, 2);
  double apart = 0;
  for (std::uint32_t d = 0; d < w.dim; ++d)
    apart = std::max(apart, std::abs(plain[d] - changed[d]));
  CHECK(apart > 10 * limit / (dtype == cpu_dtype::float32 ? 1 : 10));
}

TEST_CASE("scores of any size are weighed without overflow, wherever the highest one stands") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which) << ' ' << to_string(dtype));
  constexpr std::uint32_t dim = 64;
  // Not turned, so that bfloat16 holds queries and keys exactly.
  world w(which, dtype, 1, 1, dim, 16, 60, 0);
  for (auto& x : w.query)
    x *= 512;
  for (std::uint32_t p = 0; p < w.tokens; ++p)
    w.write(p);
  for (std::uint32_t position = 0; position < w.tokens; ++position) {
    auto want = w.expected(position, 0);
    auto y = w.attend(position, 0, 1);
    double worst = 0;
    for (std::uint32_t d = 0; d < dim; ++d)
      worst = std::max(worst, std::abs(static_cast<double>(y.value(d)) - want[d]));
    INFO(position);
    CHECK(worst < (dtype == cpu_dtype::float32 ? 2e-4 : 2e-2));
  }
}

TEST_CASE("a key or a value that is not a number shows in every row that sees it, and in no other") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto at = GENERATE(0u, 9u, 20u, 40u);
  auto in_key = GENERATE(true, false);
  INFO(to_string(which) << ' ' << to_string(dtype) << ' ' << at << (in_key ? " key" : " value"));
  world w(which, dtype, 1, 1, 16, 16, 53);
  (in_key ? w.key : w.value)[at * 16 + 3] = std::nanf("");
  w.write(at);
  for (std::uint32_t position : {0u, 8u, 9u, 19u, 20u, 39u, 40u, 52u}) {
    INFO(position);
    CHECK(std::isnan(w.attend(position, 0, 1).value(3)) == (position >= at));
  }
}

TEST_CASE("lanes behind the dimensions of a head are zero in queries, keys and values") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which) << ' ' << to_string(dtype));
  constexpr std::uint32_t dim = 10, padded = 16, block = 16;
  world w(which, dtype, 1, 1, dim, block, 1);
  elements q(dtype, padded);
  for (std::uint32_t d = 0; d < padded; ++d)
    q.set(d, std::nanf(""));
  w.q = q;
  w.write(0);
  const auto first = std::size_t{w.table[0]} * w.head_elements();
  const std::uint32_t step = dtype == cpu_dtype::float32 ? 1 : 2;
  for (std::uint32_t d = dim; d < padded; ++d) {
    CHECK(w.q.value(d) == 0.0f);
    CHECK(w.cache.value(first + d / step * block * step + d % step) == 0.0f);
    CHECK(w.cache.value(first + block * padded + std::size_t{d} * step) == 0.0f);
  }
}
