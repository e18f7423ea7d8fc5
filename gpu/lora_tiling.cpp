#include "gpu/lora_tiling.hpp"

#include <algorithm>
#include <string>

namespace lorica::gpu {
namespace {

/// Tiles of one kind on their way into their list.
struct tile_writer {
  std::span<lora_tile> to;
  std::uint32_t count = 0;

  bool put(const lora_tile& t) noexcept {
    if (count == to.size()) return false;
    to[count++] = t;
    return true;
  }
};

std::uint64_t floats_of(const lora_tile& t, std::uint32_t planes) noexcept {
  return std::uint64_t{t.rows} * t.width * planes;
}

/// Floats that the segments need with one plane each.
std::uint64_t least_floats(const lora_tiling_args& a) noexcept {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < a.segments.size(); ++i)
    out += std::uint64_t{a.segments[i].rows} * a.widths[i];
  return out;
}

}  // namespace

result<lora_grid> cut_lora_tiles(const lora_tiling_args& a, std::span<lora_tile> few,
                                 std::span<lora_tile> many, std::span<std::uint32_t> counts) {
  const auto least = least_floats(a);
  if (least > a.inputs || a.inputs > std::uint32_t(-1))
    return fail(errc::internal, "low-rank inputs of a step need " + std::to_string(least) +
                                    " floats; there is room for " + std::to_string(a.inputs));
  const auto planes = lora_planes(a.deepest);
  auto spare = a.inputs - least;  // for planes that are kept apart
  tile_writer writers[2] = {{few}, {many}};
  lora_grid out;
  std::uint64_t used = 0;
  for (std::uint32_t i = 0; i < a.segments.size(); ++i) {
    const auto& s = a.segments[i];
    if (a.widths[i] == 0) continue;
    out.ranks = std::max(out.ranks, a.widths[i]);
    const bool is_many = s.rows > a.choice.few_rows(a.widths[i]);
    const auto at_once = is_many ? many_tile_rows : few_tile_rows;
    for (std::uint32_t first = 0; first < s.rows; first += at_once) {
      lora_tile t{i,
                  s.first_row + first,
                  std::min(at_once, s.rows - first),
                  a.widths[i],
                  static_cast<std::uint32_t>(used),
                  0};
      if (const auto more = floats_of(t, planes - 1); more != 0 && more <= spare) {
        t.apart = 1;
        spare -= more;
      }
      used += floats_of(t, t.apart ? planes : 1);
      if (!writers[is_many].put(t))
        return fail(errc::internal, "a step needs more than " + std::to_string(writers[is_many].to.size()) +
                                        " tiles of rows with adapters");
    }
  }
  counts[0] = out.few = writers[0].count;
  counts[1] = out.many = writers[1].count;
  return out;
}

}  // namespace lorica::gpu
