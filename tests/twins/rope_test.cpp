#include "gpu/rope.hpp"

#include "cpu/kernels.hpp"
#include "cpu/kv_cache.hpp"
#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Units of the last place between two bfloat16.
int apart(std::uint16_t a, gpu::bfloat b) {
  auto order = [](std::uint16_t bits) { return bits & 0x8000 ? -(bits & 0x7fff) : int{bits}; };
  return std::abs(order(a) - order(b.bits));
}

std::vector<float> padded_numbers(std::uint32_t count, std::uint32_t padded, std::uint32_t seed) {
  auto out = exact_numbers(count, seed);
  out.resize(padded);
  return out;
}

}  // namespace

TEST_CASE("both executors turn queries and keys, and store values, to the same numbers but for rounding") {
  auto d = open_test_device();
  if (!d) return;
  auto normed = GENERATE(false, true);
  auto dim = GENERATE(8u, 40u, 64u, 128u, 256u);
  auto whole = GENERATE(true, false);
  const auto rotary = whole ? dim : dim / 2;
  INFO(dim << " wide, " << rotary << " turn, normed " << normed);
  constexpr std::uint32_t heads = 4, kv_heads = 2, token = 21, block_tokens = 32;
  const auto padded = padded_head_dim(dim);
  const auto x = exact_numbers((heads + 2 * kv_heads) * dim, 1), cos = exact_numbers(rotary / 2, 2),
             sin = exact_numbers(rotary / 2, 3);
  const auto q_norm = padded_numbers(dim, padded, 4), k_norm = padded_numbers(dim, padded, 5);

  // The CPU's cache holds keys by groups of tokens, in pairs of dimensions, and values in pairs of tokens.
  const std::size_t head = std::size_t{2} * block_tokens * padded;
  std::vector<std::uint16_t> cache(kv_heads * head), q(heads * padded);
  rope_args c;
  c.query = x.data();
  c.key = &x[heads * dim];
  c.value = &x[(heads + kv_heads) * dim];
  c.cos = cos.data();
  c.sin = sin.data();
  c.q_norm = normed ? q_norm.data() : nullptr;
  c.k_norm = normed ? k_norm.data() : nullptr;
  c.epsilon = 1e-5f;
  c.heads = heads;
  c.kv_heads = kv_heads;
  c.head_dim = dim;
  c.rotary_dim = rotary;
  c.padded_dim = padded;
  c.q = q.data();
  c.cache = reinterpret_cast<std::byte*>(cache.data());
  c.head_stride = head * sizeof(std::uint16_t);
  c.block_tokens = block_tokens;
  c.token = token;
  kernels_for(isa::portable, cpu_dtype::bfloat16).rope(c);

  gpu::rope_args a;
  auto* at = d->put(x);
  a.query = at;
  a.key = at + heads * dim;
  a.value = at + (heads + kv_heads) * dim;
  a.format = gpu::number_format::float32;
  a.stride = x.size();
  a.cos = d->put(cos);
  a.sin = d->put(sin);
  a.q_norm = normed ? d->put(q_norm) : nullptr;
  a.k_norm = normed ? d->put(k_norm) : nullptr;
  a.epsilon = 1e-5f;
  a.rows = 1;
  a.heads = heads;
  a.kv_heads = kv_heads;
  a.head_dim = dim;
  a.rotary_dim = rotary;
  a.q = d->room<gpu::bfloat>(q.size());
  a.q_stride = q.size();
  a.kv = {d->room<gpu::bfloat>(cache.size()), cache.size(), head, head / 2, block_tokens, padded};
  a.tables.positions = d->put(std::vector<std::uint32_t>{token});
  a.tables.first_block = d->put(std::vector<std::uint32_t>{0});
  a.tables.words = d->put(std::vector<std::uint32_t>{0});
  must(gpu::rope(a, d->stream));
  const auto gpu_q = d->get(a.q, q.size());
  const auto gpu_cache = d->get(a.kv.data, cache.size());
  for (std::size_t i = 0; i < q.size(); ++i)
    CHECK(apart(q[i], gpu_q[i]) <= 1);
  for (std::uint32_t h = 0; h < kv_heads; ++h)
    for (std::uint32_t i = 0; i < padded; ++i) {
      const auto key = cache[h * head + (token / 16 * padded + i / 2 * 2) * 16 + token % 16 * 2 + i % 2];
      const auto value = cache[h * head + head / 2 + (token / 2 * padded + i) * 2 + token % 2];
      CHECK(apart(key, gpu_cache[h * head + token * padded + i]) <= 1);
      CHECK(value == gpu_cache[h * head + head / 2 + token * padded + i].bits);
    }
}
