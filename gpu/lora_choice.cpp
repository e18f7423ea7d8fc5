#include "gpu/lora_choice.hpp"

namespace lorica::gpu {
namespace {

constexpr float clear = 1.05f;  // times longer

bool few_serve(const lora_time& t, std::uint32_t otherwise) noexcept {
  if (t.few > clear * t.many) return false;
  return t.many > clear * t.few || t.rows <= otherwise;
}

}  // namespace

std::uint32_t few_rows_by(std::span<const lora_time> times, std::uint32_t otherwise) noexcept {
  if (times.empty()) return otherwise;
  std::uint32_t out = 0;
  for (auto& t : times) {
    // Below the first rows that were timed few waste less than many.
    if (!few_serve(t, otherwise)) return out == 0 ? t.rows - 1 : out;
    out = t.rows;
  }
  return std::max(out, otherwise);
}

}  // namespace lorica::gpu
