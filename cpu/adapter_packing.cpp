#include "cpu/adapter_packing.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cpu/bfloat.hpp"
#include "cpu/lora.hpp"
#include "cpu/lora_coding.hpp"
#include "cpu/magnitude.hpp"
#include "engine/adapter_fit.hpp"
#include "engine/merge_shape.hpp"

namespace lorica {
namespace {

constexpr std::size_t tokens_at_once = 1024;  // between two looks at the stop token

error cancelled() {
  return fail(errc::cancelled, "packing was cancelled");
}

void store(cpu_dtype dtype, float value, std::byte* out, std::size_t index) noexcept {
  if (dtype == cpu_dtype::float32) {
    std::memcpy(out + index * sizeof value, &value, sizeof value);
    return;
  }
  auto narrow = to_bfloat(value);
  std::memcpy(out + index * sizeof narrow, &narrow, sizeof narrow);
}

/// The same for neighbours.
void store_run(cpu_dtype dtype, std::span<const float> values, std::byte* out, std::size_t index) noexcept {
  if (dtype == cpu_dtype::float32) {
    std::memcpy(out + index * sizeof(float), values.data(), values.size_bytes());
    return;
  }
  std::uint16_t narrow[32];
  to_bfloats(values.data(), values.size(), narrow);
  std::memcpy(out + index * sizeof narrow[0], narrow, values.size() * sizeof narrow[0]);
}

}  // namespace

cpu_adapter_packing::cpu_adapter_packing(const model_weights& base, cpu_mode mode,
                                         std::span<const site_shape> sites, kept_copies copies,
                                         std::stop_token stop)
    : base_(base),
      model_(base.config()),
      mode_(mode),
      dtype_(mode.dtype),
      shapes_(sites.begin(), sites.end()),
      copies_(copies),
      stop_(std::move(stop)),
      out_(std::make_shared<cpu_packed_adapter>()),
      places_(sites.size()),
      put_(sites.size()) {
  arena counted;
  lay_out(counted);
  bytes_ = counted.used();
}

/// Pairs of bfloat16 need an even rank; the added row of A is zero.
std::uint32_t cpu_adapter_packing::plain_rank(std::uint32_t rank) const noexcept {
  return dtype_ == cpu_dtype::bfloat16 ? rank + rank % 2 : rank;
}

/// Of a linear map; codes go by fours.
std::uint32_t cpu_adapter_packing::stored_rank(std::uint32_t rank) const noexcept {
  return mode_.int8_adapters ? (rank + rank_multiple - 1) / rank_multiple * rank_multiple : plain_rank(rank);
}

std::uint64_t cpu_adapter_packing::plain_b_bytes(std::uint32_t rank, std::uint32_t outputs) const noexcept {
  return std::uint64_t{blocks_for(outputs)} * block_outputs * plain_rank(rank) * element_bytes(dtype_);
}

std::uint32_t cpu_adapter_packing::outputs_of(projection part) const noexcept {
  return static_cast<std::uint32_t>(shape_of(model_, part).out);
}

/// Gives everything its place. Groups lie in the order in which a step reads them.
void cpu_adapter_packing::lay_out(arena& from) {
  auto& out = *out_;
  out.groups_.assign(std::size_t{model_.layers} * lora_group_count, {});
  out.head_ = {};
  auto group_of = [&](std::uint32_t i) -> packed_group* {
    auto& s = shapes_[i];
    const auto which = place_of(s.where).group;
    if (which == lora_group::head) return &out.head_;
    return &out.groups_[std::size_t{s.layer} * lora_group_count + static_cast<std::size_t>(which)];
  };
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < shapes_.size(); ++i)
    if (shapes_[i].where != projection::embed) order.push_back(i);
  std::ranges::sort(order, {}, [&](std::uint32_t i) {
    auto& s = shapes_[i];
    const auto [group, part] = place_of(s.where);
    return std::tuple(group == lora_group::head, s.layer, group, part);
  });
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    auto* group = group_of(order[first]);
    while (last < order.size() && group_of(order[last]) == group)
      ++last;
    lay_out_group(*group, std::span(order).subspan(first, last - first), from);
  }
  lay_out_embedding(from);
  if (!copies_.head) return;
  auto& head = out.head_matrix_;
  head.depth = padded_depth(model_.hidden);
  head.format = plain_format(dtype_);
  head.blocks = blocks_for(model_.vocab);
  head.data = from.take(std::uint64_t{head.blocks} * head.block_bytes());
}

/// The sites of one group, in the order of their parts: A stacked, B apart.
void cpu_adapter_packing::lay_out_group(packed_group& group, std::span<const std::uint32_t> sites,
                                        arena& from) {
  group.depth = padded_depth(shapes_[sites.front()].in);
  for (auto i : sites)
    group.ranks += stored_rank(shapes_[i].rank);
  group.a = from.take(mode_.int8_adapters ? coded_a_bytes(group.ranks, group.depth)
                                          : std::uint64_t{group.ranks} * group.depth * element_bytes(dtype_));
  std::uint32_t column = 0;
  for (auto i : sites) {
    auto& s = shapes_[i];
    places_[i] = {&group, column, group.sites};
    for (auto part : parts_of(s.where)) {
      lay_out_part(group, s, part, from);
      auto& site = group.site[group.sites++];
      site.column = column;
      site.codes = group.codes;
    }
    column += stored_rank(s.rank);
    group.codes += padded_depth(s.rank) / depth_multiple;
  }
  const auto lanes = std::uint64_t{group.ranks} + rank_lanes;  // kernels read whole vectors
  if (mode_.int8_adapters) group.scales = from.take_floats(lanes);
  group.scaling = from.take_floats(mode_.int8_adapters ? lanes : group.ranks);
}

void cpu_adapter_packing::lay_out_part(packed_group& group, const site_shape& s, projection part,
                                       arena& from) const {
  auto& to = group.site[group.sites];
  const auto outputs = outputs_of(part);
  to.part = place_of(part).part;
  to.rank = stored_rank(s.rank);
  to.blocks = blocks_for(outputs);
  const auto padded = std::uint64_t{to.blocks} * block_outputs;
  if (s.magnitude) to.gain = from.take_floats(padded);
  to.b = from.take(mode_.int8_adapters ? to.blocks * coded_b_bytes(to.rank) : plain_b_bytes(s.rank, outputs));
  if (s.bias) to.offset = from.take_floats(padded);
}

void cpu_adapter_packing::lay_out_embedding(arena& from) {
  auto& to = out_->embedding_;
  const auto table = [&](std::uint32_t width) {
    return from.take(std::uint64_t{model_.vocab} * width * element_bytes(dtype_));
  };
  auto s = std::ranges::find(shapes_, projection::embed, &site_shape::where);
  if (s != shapes_.end()) {
    to.rank = plain_rank(s->rank);
    to.scaling = s->scaling;
    to.a = table(to.rank);
    to.b = from.take(plain_b_bytes(s->rank, s->out));
  }
  if (copies_.embed) to.table = table(model_.hidden);
}

result<void> cpu_adapter_packing::begin() {
  auto memory = mapped_memory::allocate(bytes_, "an adapter");
  if (!memory) return std::move(memory).error();
  out_->memory_ = *std::move(memory);
  arena from(out_->memory_.data());
  lay_out(from);
  if (copies_.embed)
    if (auto ok = pack_table(*copies_.embed); !ok) return ok;
  if (copies_.head) return pack_head(*copies_.head);
  return {};
}

/// What was laid out at `place`, to be written.
std::byte* cpu_adapter_packing::own(const void* place) const noexcept {
  auto* begin = out_->memory_.data();
  return begin + (static_cast<const std::byte*>(place) - begin);
}

float* cpu_adapter_packing::own(const float* place) const noexcept {
  return reinterpret_cast<float*>(own(static_cast<const void*>(place)));
}

result<void> cpu_adapter_packing::put(std::size_t number, const lora_site& s) {
  if (stop_.stop_requested()) return cancelled();
  if (number >= shapes_.size() || put_[number] || shape_of(s) != shapes_[number])
    return fail(errc::bad_adapter, "a module of the adapter is not the one that was announced",
                "shape_mismatch");
  if (auto ok = check_numbers(s); !ok) return ok;
  const auto& to = places_[number];
  if (auto ok = to.group ? pack_pair(s, to) : pack_embedding(s); !ok) return ok;
  put_[number] = 1;
  return {};
}

result<void> cpu_adapter_packing::pack_pair(const lora_site& s, const place& to) {
  pack_a(s, to);
  std::fill_n(own(to.group->scaling) + to.column, stored_rank(s.rank), s.scaling);
  std::uint32_t first = 0;
  auto* part = to.group->site.data() + to.first;
  for (auto projection : parts_of(s.where)) {
    if (auto ok = pack_part(s, projection, first, *part++); !ok) return ok;
    first += outputs_of(projection);
  }
  return {};
}

result<std::shared_ptr<const packed_adapter>> cpu_adapter_packing::finish(const adapter_version& version) {
  const auto there = std::ranges::count(put_, 1);
  if (there != std::ssize(shapes_))
    return fail(errc::internal, "packing ended after " + std::to_string(there) + " of " +
                                    std::to_string(shapes_.size()) + " modules");
  auto& out = *out_;
  out.version_ = version;
  out.dtype_ = dtype_;
  out.coded_ = mode_.int8_adapters;
  std::set<std::uint32_t> ranks;
  for (auto& s : shapes_)
    ranks.insert(s.rank);
  out.ranks_.assign(ranks.begin(), ranks.end());
  out.shape_ = merge_shape_of(shapes_);
  return std::shared_ptr<const packed_adapter>(std::move(out_));
}

/// Rows [column, column + rank) of the stacked A of a group; layout in lora.hpp or lora_codes.hpp.
void cpu_adapter_packing::pack_a(const lora_site& s, const place& to) const {
  const auto& group = *to.group;
  if (mode_.int8_adapters)
    return pack_coded_a(s.a, s.rank, group.depth, to.column, own(group.a), own(group.scales));
  const std::size_t run = dtype_ == cpu_dtype::float32 ? 16 : 32;
  auto* out = own(group.a);
  for (std::size_t r = 0; r < s.rank; ++r) {
    const auto tile = (to.column + r) / rank_tile * rank_tile;
    const auto width = std::min<std::size_t>(rank_tile, group.ranks - tile);
    const auto lane = tile * group.depth + (to.column + r - tile) * run;
    for (std::size_t k = 0; k < s.in; k += run)
      store_run(dtype_, {s.a.data() + r * s.in + k, std::min<std::size_t>(run, s.in - k)}, out,
                lane + k * width);
  }
}

/// Rows [first, first + outputs) of B, each times its factor where there are factors; false when it was told
/// to end.
bool cpu_adapter_packing::pack_b(const lora_site& s, std::uint32_t first, std::uint32_t outputs,
                                 std::span<const float> factors, bool coded, std::byte* out) const {
  const auto depth = coded ? stored_rank(s.rank) : plain_rank(s.rank);
  const auto bytes =
      coded ? coded_b_bytes(depth) : std::uint64_t{depth} * block_outputs * element_bytes(dtype_);
  std::vector<float> scaled(factors.empty() ? 0 : std::size_t{block_outputs} * s.rank);
  for (std::uint32_t block = 0; block < blocks_for(outputs); ++block) {
    if (stop_.stop_requested()) return false;
    const float* rows[block_outputs] = {};
    for (std::uint32_t lane = 0; lane < block_outputs && block * block_outputs + lane < outputs; ++lane) {
      const auto output = block * block_outputs + lane;
      const float* row = s.b.data() + (std::size_t{first} + output) * s.rank;
      rows[lane] = row;
      if (factors.empty()) continue;
      auto* to = scaled.data() + std::size_t{lane} * s.rank;
      std::transform(row, row + s.rank, to, [&](float b) { return b * factors[output]; });
      rows[lane] = to;
    }
    if (coded)
      pack_coded_block(rows, s.rank, depth, out + block * bytes);
    else
      pack_block(dtype_, rows, s.rank, depth, out + block * bytes);
  }
  return true;
}

/// Outputs [first, first + outputs of the part) of a site. Mappings begin as zeros, so padding is.
result<void> cpu_adapter_packing::pack_part(const lora_site& s, projection part, std::uint32_t first,
                                            const packed_site& to) {
  const auto outputs = outputs_of(part);
  std::vector<float> factors;
  if (to.gain) {
    auto served = weights_of(base_, s.layer, part);
    auto mode = mode_;
    if (part == projection::head && copies_.head) {
      served = {tensor_type::f32, s.out, s.in, std::as_bytes(std::span(copies_.head->weight)), 0};
      mode.int8 = false;
    }
    auto found = magnitude_factors(served, s, first, mode, stop_);
    if (!found) return std::move(found).error();
    factors = *std::move(found);
    std::transform(factors.begin(), factors.end(), own(to.gain), [](float factor) { return factor - 1; });
  }
  if (!pack_b(s, first, outputs, factors, mode_.int8_adapters, own(to.b))) return cancelled();
  if (to.offset)
    std::transform(s.bias.begin() + first, s.bias.begin() + first + outputs, own(to.offset),
                   [&](float bias) { return s.scaling * bias; });
  return {};
}

/// A is read by token, so it lies by token.
result<void> cpu_adapter_packing::pack_embedding(const lora_site& s) {
  const auto& to = out_->embedding_;
  auto* a = own(to.a);
  for (std::size_t token = 0; token < s.in; ++token) {
    if (token % tokens_at_once == 0 && stop_.stop_requested()) return cancelled();
    for (std::size_t r = 0; r < s.rank; ++r)
      store(dtype_, s.a[r * s.in + token], a, token * to.rank + r);
  }
  if (!pack_b(s, 0, s.out, {}, false, own(to.b))) return cancelled();
  return {};
}

result<void> cpu_adapter_packing::pack_table(const module_copy& copy) {
  auto* table = own(out_->embedding_.table);
  for (std::size_t token = 0; token < copy.rows; ++token) {
    if (token % tokens_at_once == 0 && stop_.stop_requested()) return cancelled();
    for (std::size_t k = 0; k < copy.cols; ++k)
      store(dtype_, copy.weight[token * copy.cols + k], table, token * copy.cols + k);
  }
  return {};
}

/// As `packed_weights` lays out the base's head.
result<void> cpu_adapter_packing::pack_head(const module_copy& copy) {
  const auto& to = out_->head_matrix_;
  auto* data = own(to.data);
  for (std::uint32_t block = 0; block < to.blocks; ++block) {
    if (stop_.stop_requested()) return cancelled();
    const float* rows[block_outputs] = {};
    for (std::uint32_t lane = 0; lane < block_outputs && block * block_outputs + lane < copy.rows; ++lane)
      rows[lane] = copy.weight.data() + (std::size_t{block} * block_outputs + lane) * copy.cols;
    pack_block(dtype_, rows, copy.cols, to.depth, data + block * to.block_bytes());
  }
  return {};
}

}  // namespace lorica
