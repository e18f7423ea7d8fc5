#include "gpu/attention.hpp"

#include "cpu/kernels.hpp"
#include "cpu/kv_cache.hpp"
#include "tests/gpu/attention_world.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// What the CPU's kernels give for the rows of a world: [rows][heads * dim].
std::vector<float> on_cpu(const attention_world& w) {
  const auto& kernels = kernels_for(isa::portable, cpu_dtype::bfloat16);
  const auto& k = w.kind;
  const auto padded = w.padded();
  const std::size_t head_bytes = std::size_t{2} * k.block_tokens * padded * sizeof(std::uint16_t);
  const auto block_bytes = head_bytes * k.kv_heads;
  std::size_t blocks = 0;
  for (auto& s : w.sequences)
    blocks += (s.context + s.rows + k.block_tokens - 1) / k.block_tokens;
  std::vector<std::byte> cache(blocks * block_bytes, std::byte{0xff});
  std::vector<std::uint16_t> q(std::size_t{k.heads} * padded), y(std::size_t{k.heads} * k.dim);
  std::vector<float> out, query(q.size());
  std::uint32_t used = 0, row = 0;
  for (std::size_t s = 0; s < w.sequences.size(); ++s) {
    const auto all = w.sequences[s].context + w.sequences[s].rows;
    std::vector<std::uint32_t> table;
    for (std::uint32_t b = 0; b * k.block_tokens < all; ++b)
      table.push_back(used++);
    rope_args r;
    r.kv_heads = k.kv_heads;
    r.head_dim = k.dim;
    r.padded_dim = padded;
    r.head_stride = head_bytes;
    r.block_tokens = k.block_tokens;
    for (std::uint32_t t = 0; t < all; ++t) {
      r.key = &w.keys[w.at(s, t, 0)];
      r.value = &w.values[w.at(s, t, 0)];
      r.cache = cache.data() + table[t / k.block_tokens] * block_bytes;
      r.token = t % k.block_tokens;
      kernels.rope(r);
    }
    r.heads = k.heads;
    r.kv_heads = 0;
    attention_args a;
    a.heads = k.heads / k.kv_heads;
    a.head_dim = k.dim;
    a.padded_dim = padded;
    a.block_stride = block_bytes;
    a.block_tokens = k.block_tokens;
    a.window = k.window;
    a.scale = w.args.scale;
    a.softcap = k.softcap;
    for (std::uint32_t i = 0; i < w.sequences[s].rows; ++i, ++row) {
      for (std::uint32_t h = 0; h < k.heads; ++h)
        std::copy_n(&w.q[(std::size_t{row} * k.heads + h) * padded], k.dim, &query[h * k.dim]);
      r.query = query.data();
      r.q = q.data();
      kernels.rope(r);
      const auto seen = w.positions[row] + 1;
      for (std::uint32_t h = 0; h < k.kv_heads; ++h) {
        a.seen = {cache.data() + h * head_bytes, table.data(),
                  k.window != 0 && seen > k.window ? seen - k.window : 0, seen};
        a.q = q.data() + std::size_t{h} * a.heads * padded;
        a.y = y.data() + std::size_t{h} * a.heads * k.dim;
        kernels.attention(a);
      }
      for (auto bits : y)
        out.push_back(gpu::to_float(gpu::bfloat{bits}));
    }
  }
  return out;
}

}  // namespace

TEST_CASE("both executors attend to the same numbers but for rounding") {
  auto d = open_test_device();
  if (!d) return;
  for (auto& k : {attention_kind{2, 1, 8, 16, 0, 0},
                  {6, 2, 40, 48, 0, 0},
                  {7, 1, 64, 16, 37, 0},
                  {4, 2, 128, 32, 0, 2},
                  {2, 1, 256, 16, 70, 3},
                  {3, 3, 15, 16, 1, 0}}) {
    INFO(k.heads << " heads, " << k.dim << " wide, window " << k.window << ", softcap " << k.softcap);
    attention_world w(*d, k, {{0, 20}, {61, 6}, {300, 1}, {254, 3}});
    const auto expected = on_cpu(w);
    const auto width = std::size_t{k.heads} * k.dim;
    for (auto& y : {w.prefill(gpu::tile_rows), w.decode(2)})
      for (std::uint32_t row = 0; row < w.rows(); ++row)
        for (std::size_t i = 0; i < width; ++i) {
          const auto e = static_cast<double>(expected[row * width + i]);
          const auto got = static_cast<double>(gpu::to_float(y[row * w.args.y_stride + i]));
          INFO("row " << row << ", number " << i);
          REQUIRE(std::abs(got - e) < attention_tolerance(std::abs(e)));
        }
  }
}
