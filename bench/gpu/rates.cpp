#include "bench/gpu/rates.hpp"

#include <algorithm>
#include <vector>

#include "bench/gpu/device_room.hpp"
#include "gpu/gemm.hpp"
#include "gpu/pinned.hpp"

namespace lorica::bench {
namespace {

constexpr std::uint32_t copies = 4;  // of a layer's weights, so that none is in the cache when its turn comes
constexpr std::uint64_t product_bytes = std::uint64_t{32} << 20;

struct map_shape {
  std::uint32_t depth = 0;
  std::uint32_t outputs = 0;
};

/// The maps of a layer as the executor computes them.
std::vector<map_shape> later_maps(const model_config& m) {
  return {{m.heads * m.head_dim, m.hidden}, {m.hidden, 2 * m.ffn}, {m.ffn, m.hidden}};
}

map_shape qkv_map(const model_config& m) {
  return {m.hidden, (m.heads + 2 * m.kv_heads) * m.head_dim};
}

std::size_t stride_of(std::uint32_t width) noexcept {
  return (std::size_t{width} + 7) / 8 * 8;
}

/// Times products of some maps, `copies` times after each other with other weights.
class product_bench {
 public:
  product_bench(int device, const model_config& m, std::uint32_t rows, std::uint32_t read,
                const random_numbers& numbers)
      : room_(device, bytes(m, rows, read)),
        products_(need(gpu::gemm::create(room_.memory(), {.workspace_bytes = product_bytes}))),
        numbers_(numbers) {
    const std::size_t widest = stride_of(std::max({m.hidden, m.ffn, m.heads * m.head_dim}));
    x_ = room_.numbers("inputs", rows * widest, numbers);
    y_ = room_.take<float>("outputs", output_floats(m, rows, read));
  }

  double seconds(const std::vector<map_shape>& maps, std::uint32_t rows, gpu::number_format format,
                 const repetition& how) {
    std::vector<gpu::gemm_args> all;
    for (std::uint32_t c = 0; c < copies; ++c)
      for (auto& map : maps)
        all.push_back(product(map, rows, format));
    for (auto& a : all)
      need(products_.prepare(a));
    const auto took = room_.time_recorded(how, [&]() -> result<void> {
      for (auto& a : all)
        if (auto ok = products_.run(a, room_.main()); !ok) return ok;
      return {};
    });
    return took.median / copies;
  }

 private:
  static std::uint64_t output_floats(const model_config& m, std::uint32_t rows, std::uint32_t read) {
    const std::uint64_t widest = std::max({m.hidden, 2 * m.ffn, (m.heads + 2 * m.kv_heads) * m.head_dim});
    return std::max(rows * stride_of(static_cast<std::uint32_t>(widest)), read * stride_of(m.vocab));
  }

  static std::uint64_t bytes(const model_config& m, std::uint32_t rows, std::uint32_t read) {
    std::uint64_t numbers = rows * stride_of(std::max({m.hidden, m.ffn, m.heads * m.head_dim}));
    auto maps = later_maps(m);
    maps.push_back(qkv_map(m));
    maps.push_back({m.hidden, m.vocab});
    for (auto& map : maps)
      numbers += copies * (std::uint64_t{map.depth} * map.outputs + gpu::arena::alignment);
    return 2 * numbers + 4 * output_floats(m, rows, read) + product_bytes + 16 * gpu::arena::alignment;
  }

  gpu::gemm_args product(const map_shape& map, std::uint32_t rows, gpu::number_format format) {
    gpu::gemm_args a;
    a.x = x_;
    a.x_stride = stride_of(map.depth);
    a.rows = rows;
    a.weights = room_.numbers("weights", std::uint64_t{map.depth} * map.outputs, numbers_);
    a.depth = map.depth;
    a.outputs = map.outputs;
    a.y = y_;
    a.y_stride = stride_of(map.outputs);
    a.format = format;
    return a;
  }

  device_room room_;
  gpu::gemm products_;
  const random_numbers& numbers_;
  gpu::bfloat* x_ = nullptr;
  float* y_ = nullptr;
};

}  // namespace

copy_rates measure_copies(int device, std::uint64_t bytes, const repetition& how) {
  device_room room(device, 2 * gpu::arena::charged(bytes));
  auto* from = room.take<std::byte>("what is copied", bytes);
  auto* to = room.take<std::byte>("where to", bytes);
  need(room.main().fill(from, std::byte{0x3c}, bytes));
  copy_rates out;
  const auto inside = room.time_direct(how, [&] { return room.main().copy(to, from, bytes); });
  out.device = 2 * static_cast<double>(bytes) / inside.median;
  const auto part = bytes / 4;
  auto pinned = need(gpu::pinned_buffer::allocate(part));
  std::ranges::fill(pinned.as<std::byte>(), std::byte{0x3c});
  const auto across = room.time_direct(how, [&] { return room.main().to_device(to, pinned.data(), part); });
  out.to_device = static_cast<double>(part) / across.median;
  return out;
}

product_times measure_products(int device, const model_config& m, std::uint32_t rows, std::uint32_t read,
                               const random_numbers& numbers, const repetition& how) {
  product_bench bench(device, m, rows, read, numbers);
  product_times out;
  out.rows = rows;
  out.qkv = bench.seconds({qkv_map(m)}, rows, gpu::number_format::bfloat16, how);
  out.later = bench.seconds(later_maps(m), rows, gpu::number_format::bfloat16, how);
  out.head = bench.seconds({{m.hidden, m.vocab}}, read, gpu::number_format::float32, how);
  return out;
}

}  // namespace lorica::bench
