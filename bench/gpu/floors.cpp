#include "bench/gpu/floors.hpp"

#include <algorithm>
#include <array>

#include "gpu/gemm.hpp"

namespace lorica::bench {
namespace {

constexpr double bytes_per_number = 2, bytes_per_scale = 4;
constexpr double share_of_floor = 0.5;

double q_width(const model_config& m) noexcept {
  return static_cast<double>(m.heads) * m.head_dim;
}

double kv_width(const model_config& m) noexcept {
  return static_cast<double>(m.kv_heads) * m.head_dim;
}

/// Numbers of q, k and v of a layer.
double qkv_numbers(const model_config& m) noexcept {
  return m.hidden * (q_width(m) + 2 * kv_width(m));
}

/// Numbers of a layer's maps behind attention.
double later_numbers(const model_config& m) noexcept {
  return m.hidden * (q_width(m) + 3.0 * m.ffn);
}

double head_numbers(const model_config& m) noexcept {
  return static_cast<double>(m.hidden) * m.vocab;
}

struct linear_map {
  std::uint64_t depth, outputs;
};

/// As the executor has them: q k v and gate up are one each.
std::array<linear_map, 4> maps_of(const model_config& m) noexcept {
  const std::uint64_t q = std::uint64_t{m.heads} * m.head_dim, kv = std::uint64_t{m.kv_heads} * m.head_dim;
  return {{{m.hidden, q + 2 * kv}, {q, m.hidden}, {m.hidden, 2 * std::uint64_t{m.ffn}}, {m.ffn, m.hidden}}};
}

double bytes_of(const linear_map& map, gpu::weight_format format) noexcept {
  const double numbers = static_cast<double>(map.depth) * static_cast<double>(map.outputs);
  if (format == gpu::weight_format::bfloat16 || !gpu::fits_codes(map.depth, map.outputs))
    return bytes_per_number * numbers;
  return numbers + bytes_per_scale * static_cast<double>(map.outputs);
}

}  // namespace

double weight_bytes(const model_config& m, gpu::weight_format format) noexcept {
  double layer = 0;
  for (auto& map : maps_of(m))
    layer += bytes_of(map, format);
  return m.layers * layer + bytes_per_number * head_numbers(m);
}

std::uint32_t maps_without_codes(const model_config& m) noexcept {
  const auto maps = maps_of(m);
  return static_cast<std::uint32_t>(
      std::ranges::count_if(maps, [](auto& map) { return !gpu::fits_codes(map.depth, map.outputs); }));
}

double kv_bytes(const model_config& m) noexcept {
  return bytes_per_number * 2 * kv_width(m) * m.layers;
}

double kv_read_bytes(const model_config& m, std::uint32_t rows, std::uint32_t context) noexcept {
  return kv_bytes(m) * rows * (context + 1.0);
}

double adapter_bytes(const model_config& m, std::span<const projection> on, std::uint32_t rank) noexcept {
  double out = 0;
  for (auto where : on) {
    const auto s = shape_of(m, where);
    out += static_cast<double>(s.in + s.out);
  }
  return bytes_per_number * out * rank * m.layers;
}

double linear_operations(const model_config& m, std::uint32_t rows, std::uint32_t read) noexcept {
  const double all = m.layers * qkv_numbers(m) + (m.layers - 1.0) * later_numbers(m);
  return 2 * (rows * all + read * (later_numbers(m) + head_numbers(m)));
}

double attention_operations(const model_config& m, std::uint32_t rows, std::uint32_t context) noexcept {
  const double seen = rows * static_cast<double>(context) + rows * (rows + 1.0) / 2;
  return 4 * seen * q_width(m) * m.layers;
}

double decode_floor(const model_config& m, std::uint32_t rows, std::uint32_t context, double adapters,
                    const card_rates& card) noexcept {
  const double read =
      (weight_bytes(m, card.weights) + kv_read_bytes(m, rows, context) + adapters) / card.bytes;
  const double computed = linear_operations(m, rows, rows) / card.operations +
                          rows * attention_operations(m, 1, context) / card.attention;
  return std::max(read, computed);
}

double prompt_floor(const model_config& m, std::uint32_t tokens, double products, double attention) noexcept {
  return products + attention_operations(m, tokens, 0) / attention;
}

double request_floor(const model_config& m, std::uint32_t prompt, std::uint32_t output, std::uint32_t rows,
                     const card_rates& card) noexcept {
  const double first =
      prompt_floor(m, prompt, linear_operations(m, prompt, 1) / card.operations, card.attention);
  return first + output * decode_floor(m, rows, prompt + output / 2, 0, card) / rows;
}

double thrash_rate(const model_config& m, const traffic_sizes& t, std::uint32_t at_once,
                   const card_rates& card) noexcept {
  return std::min(t.rate, share_of_floor / request_floor(m, t.prompt, t.output, at_once, card));
}

}  // namespace lorica::bench
