#include "bench/gpu/floors.hpp"

#include <algorithm>

namespace lorica::bench {
namespace {

constexpr double bytes_per_number = 2;

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

}  // namespace

double weight_bytes(const model_config& m) noexcept {
  return bytes_per_number * (m.layers * (qkv_numbers(m) + later_numbers(m)) + head_numbers(m));
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
  const double read = (weight_bytes(m) + kv_read_bytes(m, rows, context) + adapters) / card.bytes;
  const double computed =
      (linear_operations(m, rows, rows) + rows * attention_operations(m, 1, context)) / card.operations;
  return std::max(read, computed);
}

double request_floor(const model_config& m, std::uint32_t prompt, std::uint32_t output, std::uint32_t rows,
                     const card_rates& card) noexcept {
  const double first =
      (linear_operations(m, prompt, 1) + attention_operations(m, prompt, 0)) / card.operations;
  return first + output * decode_floor(m, rows, prompt + output / 2, 0, card) / rows;
}

}  // namespace lorica::bench
