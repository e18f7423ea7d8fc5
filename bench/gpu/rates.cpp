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

constexpr float any_scale = 0x1p-8f;

/// Times products of some maps, `copies` times after each other with other weights.
class product_bench {
 public:
  product_bench(int device, const model_config& m, const product_point& p, const random_numbers& numbers)
      : room_(device, bytes(m, p)),
        products_(
            need(gpu::gemm::create(room_.memory(), {.workspace_bytes = product_bytes,
                                                    .scale_inside = room_.properties().scales_products()}))),
        numbers_(numbers),
        rows_(p.rows) {
    const std::size_t widest = stride_of(std::max({m.hidden, m.ffn, m.heads * m.head_dim}));
    x_ = room_.numbers("inputs", p.rows * widest, numbers);
    y_ = room_.take<float>("outputs", output_floats(m, p));
    if (p.weights == gpu::weight_format::bfloat16) return;
    codes_ = room_.codes("inputs", p.rows * widest, numbers);
    const auto scales = std::max(p.rows, widest_outputs(m));
    scales_ = room_.take<float>("scales", scales);
    room_.write(scales_, std::vector<float>(scales, any_scale));
  }

  double seconds(const std::vector<map_shape>& maps, gpu::number_format format, const repetition& how) {
    return time(all_of<gpu::gemm_args>(maps, [&](auto& map) { return product(map, rows_, format); }), how);
  }

  /// Of the head: of the rows that are read.
  double head_seconds(const map_shape& head, std::uint32_t read, const repetition& how) {
    return time(all_of<gpu::gemm_args>(
                    {head}, [&](auto& map) { return product(map, read, gpu::number_format::float32); }),
                how);
  }

  /// Maps of codes, and those that stay in bfloat16 by themselves.
  double code_seconds(const std::vector<map_shape>& maps, const repetition& how) {
    std::vector<map_shape> coded, whole;
    for (auto& map : maps)
      (gpu::fits_codes(map.depth, map.outputs) ? coded : whole).push_back(map);
    double out = 0;
    if (!coded.empty())
      out += time(all_of<gpu::code_gemm_args>(coded, [&](auto& map) { return code_product(map); }), how);
    return whole.empty() ? out : out + seconds(whole, gpu::number_format::bfloat16, how);
  }

 private:
  template <class Product>
  std::vector<Product> all_of(const std::vector<map_shape>& maps, const auto& make) {
    std::vector<Product> out;
    for (std::uint32_t c = 0; c < copies; ++c)
      for (auto& map : maps)
        out.push_back(make(map));
    return out;
  }

  template <class Product>
  double time(const std::vector<Product>& all, const repetition& how) {
    for (auto& a : all)
      need(products_.prepare(a));
    const auto took = room_.time_recorded(how, [&]() -> result<void> {
      for (auto& a : all)
        if (auto ok = products_.run(a, room_.main()); !ok) return ok;
      return {};
    });
    return took.median / copies;
  }

  static std::uint32_t widest_outputs(const model_config& m) {
    return std::max({m.hidden, 2 * m.ffn, (m.heads + 2 * m.kv_heads) * m.head_dim});
  }

  static std::uint64_t output_floats(const model_config& m, const product_point& p) {
    return std::max(p.rows * stride_of(widest_outputs(m)), p.read * stride_of(m.vocab));
  }

  /// Enough for either format of the weights.
  static std::uint64_t bytes(const model_config& m, const product_point& p) {
    std::uint64_t numbers = p.rows * stride_of(std::max({m.hidden, m.ffn, m.heads * m.head_dim}));
    const auto inputs = numbers;
    auto maps = later_maps(m);
    maps.push_back(qkv_map(m));
    maps.push_back({m.hidden, m.vocab});
    for (auto& map : maps)
      numbers += copies * (std::uint64_t{map.depth} * map.outputs + gpu::arena::alignment);
    const auto scales = 4 * std::uint64_t{std::max(p.rows, widest_outputs(m))};
    return 2 * numbers + inputs + scales + 4 * output_floats(m, p) + product_bytes +
           16 * gpu::arena::alignment;
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

  gpu::code_gemm_args code_product(const map_shape& map) {
    gpu::code_gemm_args a;
    a.x = codes_;
    a.x_stride = map.depth;
    a.x_scales = scales_;
    a.rows = rows_;
    a.weights = room_.codes("weights", std::uint64_t{map.depth} * map.outputs, numbers_);
    a.weight_scales = scales_;
    a.depth = map.depth;
    a.outputs = map.outputs;
    a.y = reinterpret_cast<gpu::bfloat*>(y_);
    a.y_stride = map.outputs;
    return a;
  }

  device_room room_;
  gpu::gemm products_;
  const random_numbers& numbers_;
  std::uint32_t rows_;
  gpu::bfloat* x_ = nullptr;
  gpu::e4m3* codes_ = nullptr;
  float* scales_ = nullptr;
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

product_times measure_products(int device, const model_config& m, const product_point& p,
                               const random_numbers& numbers, const repetition& how) {
  product_bench bench(device, m, p, numbers);
  product_times out{p.rows, p.read, p.weights};
  const bool codes = p.weights == gpu::weight_format::fp8;
  const auto measure = [&](const std::vector<map_shape>& maps) {
    return codes ? bench.code_seconds(maps, how) : bench.seconds(maps, gpu::number_format::bfloat16, how);
  };
  out.qkv = measure({qkv_map(m)});
  out.later = measure(later_maps(m));
  out.head = bench.head_seconds({m.hidden, m.vocab}, p.read, how);
  return out;
}

}  // namespace lorica::bench
