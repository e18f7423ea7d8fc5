#include "cpu/magnitude.hpp"

#include <algorithm>
#include <span>

#include "cpu/bfloat.hpp"
#include "engine/magnitude.hpp"

namespace lorica {
namespace {

void read_served(const tensor_view& base, std::size_t first, cpu_mode mode, std::span<float> out) {
  if (mode.int8) return read_quantised_rows(base, first, mode.format_of(base.type), out);
  base.read_rows(first, out);
  if (mode.dtype == cpu_dtype::bfloat16)
    std::transform(out.begin(), out.end(), out.begin(), [](float x) { return from_bfloat(to_bfloat(x)); });
}

}  // namespace

result<std::vector<float>> magnitude_factors(const tensor_view& base, const lora_site& site,
                                             std::uint32_t first, cpu_mode mode,
                                             const std::stop_token& stop) {
  const auto served = [&](std::size_t row, std::span<float> out) { read_served(base, row, mode, out); };
  return magnitude_factors(served, static_cast<std::uint32_t>(base.rows), site, first, stop);
}

}  // namespace lorica
