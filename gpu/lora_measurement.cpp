#include "gpu/lora_measurement.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "gpu/event.hpp"
#include "gpu/graph.hpp"
#include "gpu/lora_tiling.hpp"
#include "gpu/pinned.hpp"
#include "gpu/step_buffer.hpp"

namespace lorica::gpu {
namespace {

constexpr std::uint32_t row_points[] = {8, 16, 32, 64};
constexpr std::uint32_t narrow_rank = 16, wide_rank = 64;
constexpr std::uint32_t most_sets = 16;  // of adapters that take turns
constexpr int launches = 3;              // of which the fastest counts

constexpr std::uint64_t on_256(std::uint64_t bytes) noexcept {
  return arena::charged(bytes);
}

std::uint32_t outputs_of(const lora_args& site, std::uint32_t part) noexcept {
  return site.first_output[part + 1] - site.first_output[part];
}

constexpr std::uint32_t on_eight(std::uint32_t elements) noexcept {
  return (elements + 7) / 8 * 8;
}

/// Hands out device memory whose content does not matter.
class place_giver {
 public:
  explicit place_giver(std::byte* at) : at_(at) {}
  const bfloat* take(std::uint64_t rows, std::uint64_t stride) noexcept {
    auto* out = at_;
    at_ += on_256(rows * stride * sizeof(bfloat));
    return reinterpret_cast<const bfloat*>(out);
  }
  std::byte* at() const noexcept { return at_; }

 private:
  std::byte* at_;
};

adapter_group group_for(const lora_args& site, std::uint32_t rank, place_giver& from) {
  adapter_group out;
  out.ranks = site.parts * rank;
  out.a_stride = on_eight(site.depth);
  out.a = from.take(out.ranks, out.a_stride);
  for (std::uint32_t p = 0; p < site.parts; ++p) {
    auto& part = out.part[p];
    part.column = p * rank;
    part.rank = rank;
    part.scaling = 1;
    part.b_stride = on_eight(outputs_of(site, p));
    part.b = from.take(rank, part.b_stride);
  }
  return out;
}

/// The tables of one measurement, on both sides.
class trial {
 public:
  static result<std::optional<trial>> create(const lora_bench& b);

  /// Milliseconds of all sets of adapters once, in one of the ways; nothing where there is no room.
  result<std::optional<float>> time(std::uint32_t rank, std::uint32_t rows, const lora_choice& way,
                                    const stream& s);

 private:
  struct sections {
    step_layout layout;
    step_section<adapter_group> groups;
    step_section<lora_segment> segments;
    step_section<lora_use> uses;
    step_section<lora_tile> few, many;
    step_section<std::uint32_t> counts;

    explicit sections(const lora_bench& b)
        : groups(layout.add<adapter_group>(most_sets * static_cast<std::uint32_t>(b.sites.size()))),
          segments(layout.add<lora_segment>(most_sets)),
          uses(layout.add<lora_use>(most_sets)),
          few(layout.add<lora_tile>(most_lora_tiles(b.rows))),
          many(layout.add<lora_tile>(most_lora_tiles(b.rows))),
          counts(layout.add<std::uint32_t>(2)) {}
  };

  trial(const lora_bench& b, sections at, pinned_buffer host, event from, event to)
      : b_(b), at_(at), host_(std::move(host)), from_(std::move(from)), to_(std::move(to)) {}

  template <class T>
  std::span<T> host(step_section<T> s) const noexcept {
    return {reinterpret_cast<T*>(host_.data() + s.offset), s.count};
  }
  template <class T>
  const T* device(step_section<T> s) const noexcept {
    return reinterpret_cast<const T*>(b_.memory + s.offset);
  }

  std::uint32_t put_adapters(std::uint32_t rank, std::uint32_t rows);
  result<void> put_in(std::uint32_t sets, const lora_grid& grid, const stream& s) const;
  result<float> fastest(const graph& work, const stream& s);

  lora_bench b_;
  sections at_;
  pinned_buffer host_;
  event from_, to_;
};

result<std::optional<trial>> trial::create(const lora_bench& b) {
  const sections at(b);
  if (on_256(at.layout.bytes()) > b.bytes) return std::optional<trial>();
  auto host = pinned_buffer::allocate(at.layout.bytes());
  if (!host) return std::move(host).error();
  auto from = event::create_timed();
  if (!from) return std::move(from).error();
  auto to = event::create_timed();
  if (!to) return std::move(to).error();
  return std::optional(trial(b, at, *std::move(host), *std::move(from), *std::move(to)));
}

/// Adapters for all sites, one behind the other as far as there is memory, each with a segment of its own;
/// how many.
std::uint32_t trial::put_adapters(std::uint32_t rank, std::uint32_t rows) {
  place_giver from(b_.memory + on_256(at_.layout.bytes()));
  const auto* end = b_.memory + b_.bytes;
  std::uint32_t sets = 0;
  while (sets < most_sets) {
    auto groups = host(at_.groups).subspan(sets * b_.sites.size(), b_.sites.size());
    for (std::size_t i = 0; i < groups.size(); ++i)
      groups[i] = group_for(b_.sites[i], rank, from);
    if (from.at() > end) break;
    host(at_.segments)[sets] = {0, rows, sets, 1, 0, 0};
    host(at_.uses)[sets] = {sets, 1};
    ++sets;
  }
  return sets;
}

result<void> trial::put_in(std::uint32_t sets, const lora_grid& grid, const stream& s) const {
  for (std::uint32_t set = 0; set < sets; ++set)
    for (std::uint32_t i = 0; i < b_.sites.size(); ++i) {
      auto a = b_.sites[i];
      a.table = {device(at_.groups), nullptr, static_cast<std::uint32_t>(b_.sites.size())};
      a.group = i;
      a.segments = device(at_.segments) + set;
      a.uses = device(at_.uses);
      a.tiles = {device(at_.few), device(at_.many), device(at_.counts)};
      a.grid = grid;
      if (auto ok = lora_shrink(a, s); !ok) return ok;
      if (auto ok = lora_expand(a, s); !ok) return ok;
    }
  return {};
}

result<float> trial::fastest(const graph& work, const stream& s) {
  auto out = std::numeric_limits<float>::infinity();
  for (int i = 0; i < launches; ++i) {
    if (auto ok = from_.record(s); !ok) return ok.error();
    if (auto ok = work.launch(s); !ok) return ok.error();
    if (auto ok = to_.record(s); !ok) return ok.error();
    if (auto ok = s.synchronise(); !ok) return ok.error();
    auto took = event::milliseconds(from_, to_);
    if (!took) return std::move(took).error();
    out = std::min(out, *took);
  }
  return out;
}

result<std::optional<float>> trial::time(std::uint32_t rank, std::uint32_t rows, const lora_choice& way,
                                         const stream& s) {
  const auto width = most_parts * rank;
  std::uint32_t deepest = 0;
  for (auto& site : b_.sites)
    deepest = std::max(deepest, site.depth);
  const auto sets = put_adapters(rank, rows);
  const auto room = std::min<std::uint64_t>(b_.input_floats, std::uint32_t(-1));
  if (sets == 0 || width > b_.widest || std::uint64_t{rows} * width > room) return std::optional<float>();
  const lora_tiling_args tiling{host(at_.segments).first(1), std::span(&width, 1), deepest, room, way};
  auto grid = cut_lora_tiles(tiling, host(at_.few), host(at_.many), host(at_.counts));
  if (!grid) return std::move(grid).error();
  if (auto ok = s.to_device(b_.memory, host_.data(), at_.layout.bytes()); !ok) return ok.error();
  // The driver loads kernels at their first launch, which is not to be recorded.
  if (auto ok = put_in(sets, *grid, s); !ok) return ok.error();
  auto work = graph::capture(s, [&] { return put_in(sets, *grid, s); });
  if (!work) return std::move(work).error();
  auto took = fastest(*work, s);
  if (!took) return std::move(took).error();
  return std::optional(*took);
}

}  // namespace

result<lora_choice> measure_lora(const lora_bench& b, const stream& s) {
  lora_choice out;
  const auto until = std::chrono::steady_clock::now() + b.longest;
  auto made = trial::create(b);
  if (!made) return std::move(made).error();
  if (!*made) return out;
  for (auto [rank, limit] : {std::pair(narrow_rank, &out.narrow), std::pair(wide_rank, &out.wide)}) {
    std::vector<lora_time> times;
    for (auto rows : row_points) {
      if (rows > b.rows || std::chrono::steady_clock::now() > until) break;
      auto few = (*made)->time(rank, rows, {rows, rows}, s);
      if (!few) return std::move(few).error();
      auto many = (*made)->time(rank, rows, {0, 0}, s);
      if (!many) return std::move(many).error();
      if (!*few || !*many) break;
      times.push_back({rows, **few, **many});
    }
    *limit = few_rows_by(times, *limit);
  }
  return out;
}

}  // namespace lorica::gpu
