#include "gpu/adapter_packer.hpp"

#include <algorithm>
#include <vector>

#include "engine/adapter_fit.hpp"

namespace lorica::gpu {
namespace {

constexpr std::uint32_t rows_at_once = 1024;  // between two looks at the stop token

error cancelled() {
  return fail(errc::cancelled, "packing was cancelled");
}

bool same_stored(float a, float b) noexcept {
  return to_bfloat(a).bits == to_bfloat(b).bits;
}

}  // namespace

/// What PEFT writes beside an adapted embedding is most often the base's own matrix, which costs nothing
/// here.
bool gpu_adapter_packer::equals_base(const module_copy& copy, const std::stop_token& stop) const {
  auto& base = copy.where == projection::embed ? base_->embedding() : base_->head();
  std::vector<float> row(copy.cols);
  for (std::uint32_t i = 0; i < copy.rows; ++i) {
    if (i % rows_at_once == 0 && stop.stop_requested()) return false;
    base.read_rows(i, row);
    const float* own = copy.weight.data() + std::size_t{i} * copy.cols;
    if (!std::equal(row.begin(), row.end(), own, same_stored)) return false;
  }
  return true;
}

kept_copies gpu_adapter_packer::kept(std::span<const module_copy> copies, const std::stop_token& stop) const {
  kept_copies out;
  for (auto& copy : copies)
    if (!equals_base(copy, stop)) (copy.where == projection::embed ? out.embed : out.head) = &copy;
  return out;
}

std::uint64_t gpu_adapter_packer::packed_bytes(const adapter_weights& weights) const {
  return gpu_adapter_packing(*base_, shapes_of(weights), kept(weights.copies, {}), {}).device_bytes();
}

result<std::unique_ptr<adapter_packing>> gpu_adapter_packer::begin(std::span<const site_shape> sites,
                                                                   std::span<const module_copy> copies,
                                                                   std::stop_token stop) const {
  if (auto ok = check_sites(base_->config(), sites); !ok) return ok.error();
  if (auto ok = check_copies(base_->config(), copies); !ok) return ok.error();
  if (stop.stop_requested()) return cancelled();
  const auto differing = kept(copies, stop);
  if (stop.stop_requested()) return cancelled();
  if (device_)
    if (auto ok = device_->use(); !ok) return ok.error();
  auto out = std::make_unique<gpu_adapter_packing>(*base_, sites, differing, std::move(stop));
  if (auto ok = out->begin(memory_); !ok) return ok.error();
  return std::unique_ptr<adapter_packing>(std::move(out));
}

}  // namespace lorica::gpu
