#include "bench/gpu/adapters.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "bench/gpu/failure.hpp"
#include "gpu/adapter_packer.hpp"

namespace lorica::bench {
namespace {

constexpr float scaling = 2;

std::vector<float> numbers_of(const random_numbers& from, std::uint64_t which, std::size_t count) {
  std::vector<float> out(count);
  std::ranges::transform(from.part(which, count), out.begin(), [](gpu::bfloat x) { return to_float(x); });
  return out;
}

std::vector<site_shape> shapes_of(const model_config& m, const adapter_kind& kind, std::uint32_t rank) {
  std::vector<site_shape> out;
  for (std::uint32_t layer = 0; layer < m.layers; ++layer)
    for (auto where : kind.on) {
      const auto s = shape_of(m, where);
      out.push_back(
          {layer, where, rank, static_cast<std::uint32_t>(s.in), static_cast<std::uint32_t>(s.out), scaling});
    }
  return out;
}

lora_site site_of(const site_shape& s, const random_numbers& from, std::uint64_t which) {
  lora_site out{s.layer, s.where, s.rank, s.in, s.out, s.scaling, {}, {}};
  out.a = numbers_of(from, 2 * which, std::size_t{s.rank} * s.in);
  out.b = numbers_of(from, 2 * which + 1, std::size_t{s.rank} * s.out);
  return out;
}

/// All sites, several threads at once.
void put_sites(adapter_packing& to, const std::vector<site_shape>& sites, const random_numbers& from,
               std::uint64_t first) {
  std::atomic<std::size_t> next = 0;
  std::vector<result<void>> done(std::min<std::size_t>(
      sites.size(), std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 32)));
  {
    std::vector<std::jthread> threads;
    for (auto& mine : done)
      threads.emplace_back([&to, &sites, &from, &next, &mine, first] {
        for (auto i = next++; mine && i < sites.size(); i = next++)
          mine = to.put(i, site_of(sites[i], from, first + i));
      });
  }
  for (auto& d : done)
    need(d);
}

}  // namespace

std::vector<projection> all_projections() {
  return {projection::q,    projection::k,  projection::v,   projection::o,
          projection::gate, projection::up, projection::down};
}

adapter_list random_adapters(const std::shared_ptr<const random_weights>& model, const adapter_kind& kind,
                             const adapter_range& which, const std::function<void()>& between) {
  const gpu::gpu_adapter_packer packer(model);
  adapter_list out;
  for (std::uint32_t i = which.first; i < which.first + which.count; ++i) {
    if (between) between();
    const auto rank = kind.ranks[i % kind.ranks.size()];
    const auto sites = shapes_of(model->config(), kind, rank);
    auto packing = need(packer.begin(sites, {}, {}));
    put_sites(*packing, sites, model->numbers(), std::uint64_t{i + 1} << 32);
    adapter_version version;
    const auto number = i + 1;
    std::memcpy(version.digest.data(), &number, sizeof number);
    version.digest.back() = static_cast<std::uint8_t>(rank);
    out.push_back(need(packing->finish(version)));
  }
  return out;
}

std::uint64_t room_for(const adapter_list& adapters) noexcept {
  std::uint64_t out = std::uint64_t{1} << 20;
  for (auto& a : adapters)
    out += a->bytes();
  return out + out / 16;
}

}  // namespace lorica::bench
