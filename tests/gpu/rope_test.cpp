#include "gpu/rope.hpp"

#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;
using gpu::number_format;

namespace {

struct head_kind {
  std::uint32_t heads, kv_heads, dim, rotary_dim, block_tokens;
};

constexpr float epsilon = 1e-2f;

/// A head as it should be: normed where there is a weight, then turned.
std::vector<double> turned(const float* x, const head_kind& k, const std::vector<float>& weight,
                           const float* cos, const float* sin) {
  std::vector<double> out(x, x + k.dim);
  if (!weight.empty()) {
    double squares = 0;
    for (auto v : out)
      squares += v * v;
    for (std::uint32_t d = 0; d < k.dim; ++d)
      out[d] *= static_cast<double>(weight[d]) / std::sqrt(squares / k.dim + static_cast<double>(epsilon));
  }
  const auto half = k.rotary_dim / 2;
  for (std::uint32_t d = 0; d < half; ++d) {
    const double left = out[d], right = out[d + half], c = static_cast<double>(cos[d]),
                 s = static_cast<double>(sin[d]);
    out[d] = left * c - right * s;
    out[d + half] = right * c + left * s;
  }
  return out;
}

void check_head(const bfloat* got, const std::vector<double>& expected, std::uint32_t padded) {
  for (std::uint32_t d = 0; d < padded; ++d) {
    INFO("dimension " << d);
    if (d < expected.size())
      REQUIRE(std::abs(static_cast<double>(gpu::to_float(got[d])) - expected[d]) <
              bfloat_tolerance(std::abs(expected[d])));
    else
      REQUIRE(got[d].bits == 0);
  }
}

/// A step of scattered rows: one product of queries, keys and values, and where the keys go.
struct rope_world {
  head_kind kind;
  bool normed;
  std::uint32_t padded, rows;
  std::vector<std::uint32_t> positions{0, 17, 18, 95, 4}, first_block{2, 3, 3, 3, 0},
      words{5, 6, 0, 7, 2, 4, 1, 3, 8, 9};
  std::vector<float> x, cos, sin, q_norm, k_norm;
  gpu::rope_args args;
  std::size_t cache_elements = 0;

  rope_world(test_device& d, head_kind k, bool norms, number_format format)
      : kind(k), normed(norms), padded((k.dim + 15) / 16 * 16), rows(5) {
    args.format = format;
    args.stride = std::size_t{k.heads + 2 * k.kv_heads} * k.dim + 5;
    x = exact_numbers(rows * args.stride, 41);
    cos = exact_numbers(std::size_t{rows} * k.rotary_dim / 2, 42);
    sin = exact_numbers(std::size_t{rows} * k.rotary_dim / 2, 43);
    const auto bytes = gpu::bytes_of(format);
    auto* at = format == number_format::float32 ? static_cast<void*>(d.put(x)) : d.put(as_bfloat(x));
    const auto part = [&](std::size_t head) { return static_cast<std::byte*>(at) + head * k.dim * bytes; };
    args.query = part(0);
    args.key = part(k.heads);
    args.value = part(k.heads + k.kv_heads);
    args.cos = d.put(cos);
    args.sin = d.put(sin);
    if (norms) {
      q_norm = exact_numbers(k.dim, 44);
      k_norm = exact_numbers(k.dim, 45);
      args.q_norm = d.put(q_norm);
      args.k_norm = d.put(k_norm);
    }
    args.epsilon = epsilon;
    args.rows = rows;
    args.heads = k.heads;
    args.kv_heads = k.kv_heads;
    args.head_dim = k.dim;
    args.rotary_dim = k.rotary_dim;
    args.q_stride = std::size_t{k.heads} * padded + 7;
    args.q = d.room<bfloat>(rows * args.q_stride);
    args.kv.value_offset = std::size_t{k.block_tokens} * padded;
    args.kv.head_stride = 2 * args.kv.value_offset;
    args.kv.block_stride = k.kv_heads * args.kv.head_stride + 16;
    args.kv.block_tokens = k.block_tokens;
    args.kv.padded_dim = padded;
    cache_elements = words.size() * args.kv.block_stride;
    args.kv.data = d.room<bfloat>(cache_elements);
    args.tables.positions = d.put(positions);
    args.tables.first_block = d.put(first_block);
    args.tables.words = d.put(words);
  }

  std::size_t place(std::uint32_t row, std::uint32_t head) const {
    const auto block = words[first_block[row] + positions[row] / kind.block_tokens];
    return block * args.kv.block_stride + head * args.kv.head_stride +
           positions[row] % kind.block_tokens * padded;
  }

  void check(const std::vector<bfloat>& q, const std::vector<bfloat>& cache) const {
    const auto half = kind.rotary_dim / 2;
    std::size_t written = 0;
    for (std::uint32_t row = 0; row < rows; ++row) {
      const auto* from = &x[row * args.stride];
      const auto head = [&](std::uint32_t h, const std::vector<float>& weight) {
        return turned(from + h * kind.dim, kind, weight, cos.data() + row * half, sin.data() + row * half);
      };
      for (std::uint32_t h = 0; h < kind.heads; ++h) {
        INFO("row " << row << " query head " << h);
        check_head(&q[row * args.q_stride + h * padded], head(h, q_norm), padded);
      }
      REQUIRE(q[row * args.q_stride + kind.heads * padded].bits == 0xffff);
      for (std::uint32_t h = 0; h < kind.kv_heads; ++h) {
        INFO("row " << row << " key head " << h);
        check_head(&cache[place(row, h)], head(kind.heads + h, k_norm), padded);
        const auto* value = from + (kind.heads + kind.kv_heads + h) * kind.dim;
        check_head(&cache[place(row, h) + args.kv.value_offset], {value, value + kind.dim}, padded);
        written += 2 * padded;
      }
    }
    const auto untouched =
        std::count_if(cache.begin(), cache.end(), [](bfloat b) { return b.bits == 0xffff; });
    CHECK(static_cast<std::size_t>(untouched) == cache.size() - written);
  }
};

}  // namespace

TEST_CASE("queries and keys turn, and keys and values go to their places in the cache") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto format = GENERATE(number_format::float32, number_format::bfloat16);
  auto normed = GENERATE(false, true);
  for (auto& k : {head_kind{4, 2, 64, 64, 16},
                  {1, 1, 8, 6, 32},
                  {3, 3, 15, 10, 16},
                  {9, 1, 80, 32, 48},
                  {2, 1, 256, 256, 16},
                  {2, 2, 128, 0, 16}}) {
    INFO(k.heads << " heads, " << k.dim << " wide, " << k.rotary_dim << " turn, normed " << normed);
    rope_world w(*d, k, normed, format);
    must(gpu::rope(w.args, d->stream));
    w.check(d->get(w.args.q, w.rows * w.args.q_stride), d->get(w.args.kv.data, w.cache_elements));
  }
}

TEST_CASE("queries may turn where they lie") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto normed = GENERATE(false, true);
  rope_world w(*d, {4, 2, 64, 32, 16}, normed, number_format::bfloat16);
  must(gpu::rope(w.args, d->stream));
  const auto apart = d->get(w.args.q, w.rows * w.args.q_stride);
  auto* q = static_cast<bfloat*>(const_cast<void*>(w.args.query));
  const auto apart_stride = w.args.q_stride;
  w.args.q = q;
  w.args.q_stride = w.args.stride;
  must(gpu::rope(w.args, d->stream));
  const auto together = d->get(q, w.rows * w.args.stride);
  for (std::size_t row = 0; row < w.rows; ++row)
    for (std::size_t i = 0; i < std::size_t{4} * 64; ++i)
      REQUIRE(together[row * w.args.stride + i].bits == apart[row * apart_stride + i].bits);
}

TEST_CASE("no rows are nothing to turn") {
  auto d = open_test_device();
  if (!d) return;
  gpu::rope_args a;
  a.heads = 2;
  a.kv_heads = 1;
  must(gpu::rope(a, d->stream));
}
