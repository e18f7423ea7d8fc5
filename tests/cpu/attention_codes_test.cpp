#include <algorithm>
#include <cmath>

#include "cpu/attention.hpp"
#include "cpu/kv_cache.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// What makes a case: two key-value heads, `group` query heads for each.
struct shape {
  std::uint32_t group = 3, dim = 20, block_tokens = 16, tokens = 101, window = 0;
  float softcap = 0;
  double turn = 0.1;
};

constexpr std::uint32_t kv_heads = 2;

/// A sequence whose K and V became codes in a scattered cache, position by position. Rotation is by the angle
/// `position * turn * (k + 1)`.
struct coded_world {
  shape of;
  cpu_dtype dtype;
  const kernel_table& kernels;
  std::vector<float> query, key, value;  // [tokens][heads][dim]
  std::vector<std::uint32_t> table;
  std::vector<std::byte> cache;
  std::vector<input_group> q;

  coded_world(isa which, cpu_dtype d, const shape& s)
      : of(s),
        dtype(d),
        kernels(kernels_for(which, d)),
        query(some_numbers(std::size_t{s.tokens} * heads() * s.dim, 71)),
        key(some_numbers(std::size_t{s.tokens} * kv_heads * s.dim, 72)),
        value(some_numbers(std::size_t{s.tokens} * kv_heads * s.dim, 73)),
        q(std::size_t{s.tokens} * heads() * groups()) {
    const auto blocks = (s.tokens + s.block_tokens - 1) / s.block_tokens;
    // Scales and codes of what was not written are such that they would show.
    cache.assign((blocks + 2) * block_stride(), std::byte{0xff});
    for (std::uint32_t b = 0; b < blocks; ++b)
      table.push_back((b * 7 + 3) % (blocks + 2));
    write(0, s.tokens);
  }

  std::uint32_t heads() const { return kv_heads * of.group; }
  std::uint32_t padded() const { return padded_head_dim(of.dim); }
  std::uint32_t groups() const { return head_groups(padded()); }
  std::size_t head_stride() const {
    return of.block_tokens * kv_head_bytes(of.dim, {cpu_dtype::bfloat16, false, false, true});
  }
  std::size_t block_stride() const { return kv_heads * head_stride(); }
  std::uint32_t first_seen(std::uint32_t position) const {
    return of.window != 0 && position + 1 > of.window ? position + 1 - of.window : 0;
  }
  double angle(std::uint32_t position, std::uint32_t k) const { return position * of.turn * (k + 1); }

  void write(std::uint32_t first, std::uint32_t last) {
    for (auto p = first; p < last; ++p)
      write(p);
  }

  void write(std::uint32_t p) {
    std::vector<float> cos(of.dim / 2), sin(of.dim / 2);
    for (std::uint32_t k = 0; k < of.dim / 2; ++k) {
      cos[k] = static_cast<float>(std::cos(angle(p, k)));
      sin[k] = static_cast<float>(std::sin(angle(p, k)));
    }
    rope_args a;
    a.query = &query[std::size_t{p} * heads() * of.dim];
    a.key = &key[std::size_t{p} * kv_heads * of.dim];
    a.value = &value[std::size_t{p} * kv_heads * of.dim];
    a.cos = cos.data();
    a.sin = sin.data();
    a.heads = heads();
    a.kv_heads = kv_heads;
    a.head_dim = a.rotary_dim = of.dim;
    a.padded_dim = padded();
    a.q = &q[std::size_t{p} * heads() * groups()];
    a.cache = cache.data() + table[p / of.block_tokens] * block_stride();
    a.head_stride = head_stride();
    a.block_tokens = of.block_tokens;
    a.token = p % of.block_tokens;
    kernels.rope_codes(a);
  }

  /// Query heads [first, first + count) of `rows` rows from `position` on, which share a key-value head.
  elements attend(std::uint32_t position, std::uint32_t first, std::uint32_t count, std::uint32_t rows = 1) {
    elements y(dtype, std::size_t{rows} * count * of.dim);
    attention_args a;
    a.q = &q[(std::size_t{position} * heads() + first) * groups()];
    a.q_stride = std::size_t{heads()} * groups();
    a.rows = rows;
    a.heads = count;
    a.head_dim = of.dim;
    a.padded_dim = padded();
    a.seen = {cache.data() + first / of.group * head_stride(), table.data(), first_seen(position),
              position + rows};
    a.next = {cache.data(), table.data(), 0, of.tokens};  // whatever is asked for changes nothing
    a.cold = true;
    a.window = of.window;
    a.block_stride = block_stride();
    a.block_tokens = of.block_tokens;
    a.scale = 1 / std::sqrt(static_cast<float>(of.dim));
    a.softcap = of.softcap;
    a.y = y.at(0);
    a.y_stride = std::size_t{count} * of.dim;
    kernels.attention_codes(a);
    return y;
  }

  const std::byte* head_of(std::uint32_t p, std::uint32_t head) const {
    return cache.data() + table[p / of.block_tokens] * block_stride() + head * head_stride();
  }
  static double product(std::byte code, const std::byte* scale) {
    float x = 0;
    std::memcpy(&x, scale, sizeof x);
    return static_cast<double>(x) * (std::to_integer<int>(code) - 128);
  }
  /// What the codes in the cache stand for.
  double stored_key(std::uint32_t p, std::uint32_t head, std::uint32_t d) const {
    const auto within = p % of.block_tokens, lane = within % 16;
    const auto width = std::min(padded() - d / 32 * 32, 32u);
    const auto* group =
        head_of(p, head) + within / 16 * 16 * coded_key_bytes(padded()) + d / 32 * (32 + 4) * 16;
    return product(group[d % 32 / 4 * 64 + lane * 4 + d % 4], group + std::size_t{16} * width + lane * 4);
  }
  double stored_value(std::uint32_t p, std::uint32_t head, std::uint32_t d) const {
    const auto within = p % of.block_tokens, lane = within % 16;
    const auto* group = head_of(p, head) + of.block_tokens * coded_key_bytes(padded()) +
                        within / 16 * 16 * coded_value_bytes(padded());
    return product(group[lane / 4 * padded() * 4 + d * 4 + lane % 4],
                   group + std::size_t{16} * padded() + lane * 4);
  }
  double stored_query(std::uint32_t p, std::uint32_t head, std::uint32_t d) const {
    auto& g = q[(std::size_t{p} * heads() + head) * groups() + d / 32];
    return static_cast<double>(g.scale) * g.codes[d % 32];
  }

  std::vector<double> turned(const float* x, std::uint32_t position) const {
    std::vector<double> out(x, x + of.dim);
    for (std::uint32_t k = 0; k < of.dim / 2; ++k) {
      const double c = std::cos(angle(position, k)), s = std::sin(angle(position, k));
      const double left = out[k], right = out[k + of.dim / 2];
      out[k] = left * c - right * s;
      out[k + of.dim / 2] = right * c + left * s;
    }
    return out;
  }
};

/// The softmax of what the codes stand for, and how far the rounding of its weights may take it: half a step
/// of the largest of 32 for each of them.
struct written_out {
  std::vector<double> y, bound;

  written_out(const coded_world& w, std::uint32_t position, std::uint32_t head)
      : y(w.of.dim), bound(w.of.dim) {
    const auto kv = head / w.of.group, first = w.first_seen(position);
    std::vector<double> weights;
    for (auto t = first; t <= position; ++t) {
      double score = 0;
      for (std::uint32_t d = 0; d < w.of.dim; ++d)
        score += w.stored_query(position, head, d) * w.stored_key(t, kv, d) / std::sqrt(w.of.dim);
      const auto cap = static_cast<double>(w.of.softcap);
      weights.push_back(cap > 0 ? cap * std::tanh(score / cap) : score);
    }
    const double highest = *std::ranges::max_element(weights);
    double total = 0;
    for (auto& x : weights)
      total += x = std::exp(x - highest);
    auto largest_value = [&](std::uint32_t t) {
      double out = 0;
      for (std::uint32_t d = 0; d < w.of.dim; ++d)
        out = std::max(out, std::abs(w.stored_value(t, kv, d)));
      return out;
    };
    for (auto from = first / 32 * 32; from <= position; from += 32) {
      const auto begin = std::max(from, first), end = std::min(from + 32, position + 1);
      double most = 0;  // 127 steps, in units of a weight times its values' scale
      for (auto t = begin; t < end; ++t)
        most = std::max(most, weights[t - first] * largest_value(t) / 127);
      for (auto t = begin; t < end; ++t)
        for (std::uint32_t d = 0; d < w.of.dim; ++d) {
          const double x = w.stored_value(t, kv, d);
          y[d] += weights[t - first] / total * x;
          bound[d] += 0.5 * most / 127 * std::abs(x) * 127 / largest_value(t) / total;
        }
    }
  }
};

/// How many of the second key-value head's outputs at a position are out of bounds.
int out_of_bounds(coded_world& w, std::uint32_t position) {
  auto y = w.attend(position, w.of.group, w.of.group);
  int out = 0;
  for (std::uint32_t h = 0; h < w.of.group; ++h) {
    const written_out want(w, position, w.of.group + h);
    for (std::uint32_t d = 0; d < w.of.dim; ++d) {
      const double apart = std::abs(static_cast<double>(y.value(h * w.of.dim + d)) - want.y[d]);
      const double rounding = w.dtype == cpu_dtype::float32 ? 1e-5 : 4e-3 * (1 + std::abs(want.y[d]));
      out += apart <= want.bound[d] * 1.001 + rounding ? 0 : 1;
    }
  }
  return out;
}

}  // namespace

TEST_CASE("keys, values and queries as codes are within half a step of the numbers") {
  auto which = GENERATE(from_range(other_instructions()));
  auto dim = GENERATE(2u, 10u, 16u, 40u, 64u, 80u, 256u);
  auto block = GENERATE(16u, 48u);
  INFO(to_string(which) << " dim " << dim << " block " << block);
  const coded_world w(which, cpu_dtype::bfloat16,
                      {.group = 2, .dim = dim, .block_tokens = block, .tokens = 53});
  int worst = 0;
  auto check = [&](double stored, double exact, double largest) {
    worst += std::abs(stored - exact) <= 0.5005 * largest / 127 + 1e-6 ? 0 : 1;
  };
  auto largest = [](const std::vector<double>& x, std::size_t first, std::size_t last) {
    double out = 0;
    for (auto k = first; k < std::min(last, x.size()); ++k)
      out = std::max(out, std::abs(x[k]));
    return out;
  };
  for (std::uint32_t p = 0; p < w.of.tokens; ++p) {
    for (std::uint32_t h = 0; h < w.heads(); ++h) {
      auto x = w.turned(&w.query[(std::size_t{p} * w.heads() + h) * dim], p);
      for (std::uint32_t d = 0; d < dim; ++d)
        check(w.stored_query(p, h, d), x[d], largest(x, d / 32 * 32, d / 32 * 32 + 32));
    }
    for (std::uint32_t h = 0; h < kv_heads; ++h) {
      const auto at = (std::size_t{p} * kv_heads + h) * dim;
      auto k = w.turned(&w.key[at], p);
      const std::vector<double> v(w.value.begin() + static_cast<std::ptrdiff_t>(at),
                                  w.value.begin() + static_cast<std::ptrdiff_t>(at + dim));
      for (std::uint32_t d = 0; d < w.padded(); ++d) {
        check(w.stored_key(p, h, d), d < dim ? k[d] : 0, largest(k, d / 32 * 32, d / 32 * 32 + 32));
        check(w.stored_value(p, h, d), d < dim ? v[d] : 0, largest(v, 0, dim));
      }
    }
  }
  CHECK(worst == 0);
}

TEST_CASE("every set of instructions writes the same codes") {
  auto which = GENERATE(from_range(other_instructions()));
  auto dim = GENERATE(10u, 48u, 64u);
  INFO(to_string(which) << " dim " << dim);
  // Not turned: multiplications and additions may be rounded together or apart.
  const shape s{.dim = dim, .turn = 0};
  const coded_world want(isa::portable, cpu_dtype::bfloat16, s), got(which, cpu_dtype::bfloat16, s);
  CHECK(want.cache == got.cache);
  CHECK(std::memcmp(want.q.data(), got.q.data(), want.q.size() * sizeof want.q[0]) == 0);
}

TEST_CASE("attention over codes is the softmax of what they stand for, within the rounding of its weights") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto dim = GENERATE(2u, 10u, 16u, 48u, 64u);
  auto group = GENERATE(1u, 2u, 3u, 7u, 9u);
  auto block = GENERATE(16u, 48u);
  INFO(to_string(which) << ' ' << to_string(dtype) << " dim " << dim << " group " << group << " block "
                        << block);
  coded_world w(which, dtype, {.group = group, .dim = dim, .block_tokens = block, .tokens = 69});
  for (std::uint32_t position : {0u, 1u, 15u, 16u, 31u, 32u, 47u, 68u}) {
    INFO("position " << position);
    CHECK(out_of_bounds(w, position) == 0);
    // A head alone gives the bits it gives among its group.
    auto y = w.attend(position, group, group);
    auto alone = w.attend(position, 2 * group - 1, 1);
    for (std::uint32_t d = 0; d < dim; ++d)
      CHECK(alone.value(d) == y.value(std::size_t{group - 1} * dim + d));
  }
}

TEST_CASE("over codes a row sees its window only, and scores are capped") {
  auto which = GENERATE(from_range(other_instructions()));
  auto window = GENERATE(0u, 1u, 2u, 15u, 17u, 32u, 33u, 70u, 200u);
  auto softcap = GENERATE(0.0f, 0.05f);
  INFO(to_string(which) << " window " << window << " cap " << softcap);
  coded_world w(which, cpu_dtype::float32, {.window = window, .softcap = softcap});
  for (std::uint32_t position : {0u, 14u, 16u, 31u, 32u, 33u, 63u, 65u, 100u}) {
    INFO("position " << position);
    CHECK(out_of_bounds(w, position) == 0);
  }
  if (window == 0) return;
  // What lies before the window has no say.
  auto y = w.attend(100, 0, 1);
  for (std::size_t i = 0; i < std::size_t{w.first_seen(100)} * kv_heads * w.of.dim; ++i) {
    w.key[i] = 3.0f;
    w.value[i] = -50.0f;
  }
  w.write(0, w.first_seen(100));
  CHECK(w.attend(100, 0, 1) == y);
}

TEST_CASE("neighbouring rows over codes together give the bits that each gives alone") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto which = GENERATE(from_range(other_instructions()));
  auto group = GENERATE(1u, 3u, 7u);
  auto window = GENERATE(0u, 17u, 40u);
  INFO(to_string(which) << ' ' << to_string(dtype) << " group " << group << " window " << window);
  coded_world w(which, dtype, {.group = group, .window = window});
  for (std::uint32_t position : {0u, 13u, 31u, 62u, 96u})
    for (std::uint32_t rows : {2u, 3u, 4u, 5u}) {
      auto together = w.attend(position, group, group, rows);
      std::uint32_t differing = 0;
      for (std::uint32_t row = 0; row < rows; ++row) {
        auto alone = w.attend(position + row, group, group);
        for (std::size_t i = 0; i < std::size_t{group} * w.of.dim; ++i)
          differing += alone.value(i) != together.value(std::size_t{row} * group * w.of.dim + i) ? 1 : 0;
      }
      INFO("position " << position << " rows " << rows);
      CHECK(differing == 0);
    }
}

TEST_CASE("codes that were written are not changed by the tokens that come later") {
  auto which = GENERATE(from_range(other_instructions()));
  INFO(to_string(which));
  coded_world w(which, cpu_dtype::bfloat16, {});
  std::vector<elements> before;
  std::ranges::fill(w.cache, std::byte{0xff});
  for (std::uint32_t p = 0; p < w.of.tokens; ++p) {
    w.write(p);
    before.push_back(w.attend(p, 0, w.of.group));
  }
  int differing = 0;
  for (std::uint32_t p = 0; p < w.of.tokens; ++p)
    differing += w.attend(p, 0, w.of.group) == before[p] ? 0 : 1;
  CHECK(differing == 0);
}

TEST_CASE("a key or a value that is not finite shows in every row that sees its code, and in no other") {
  auto which = GENERATE(from_range(other_instructions()));
  auto at = GENERATE(0u, 9u, 20u, 40u);
  auto in_key = GENERATE(true, false);
  auto bad = GENERATE(std::nanf(""), -HUGE_VALF);
  INFO(to_string(which) << ' ' << at << (in_key ? " key " : " value ") << bad);
  coded_world w(which, cpu_dtype::bfloat16, {.group = 1, .dim = 80, .tokens = 53});
  (in_key ? w.key : w.value)[(std::size_t{at} * kv_heads) * 80 + 70] = bad;
  w.write(at);
  w.query[std::size_t{45} * kv_heads * 80 + 7] = bad;
  w.write(45);
  CHECK(std::isnan(w.attend(45, 0, 1).value(0)));
  for (std::uint32_t position : {0u, 8u, 9u, 19u, 20u, 39u, 40u, 52u}) {
    INFO(position);
    auto y = w.attend(position, 0, 1), other = w.attend(position, 1, 1);
    CHECK(std::isnan(y.value(3)) == (position >= at));
    CHECK_FALSE(std::isnan(other.value(3)));
  }
}

TEST_CASE("heads of zeros are codes of zeros") {
  auto which = GENERATE(from_range(other_instructions()));
  coded_world w(which, cpu_dtype::float32, {.group = 1, .dim = 48, .tokens = 40});
  std::ranges::fill(w.key, 0.0f);
  std::ranges::fill(w.value, 0.0f);
  w.write(0, 40);
  auto y = w.attend(39, 0, 1);
  for (std::uint32_t d = 0; d < 48; ++d)
    CHECK(y.value(d) == 0.0f);
}
