#include "gpu/adapter_packing.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "engine/adapter_fit.hpp"
#include "engine/magnitude.hpp"
#include "engine/merge_shape.hpp"
#include "gpu/slab_allocator.hpp"

namespace lorica::gpu {
namespace {

constexpr std::uint32_t rows_at_once = 1024;  // between two looks at the stop token

error cancelled() {
  return fail(errc::cancelled, "packing was cancelled");
}

constexpr std::uint32_t padded(std::uint32_t count) noexcept {
  return (count + 7) / 8 * 8;
}

void round_to(std::span<const float> from, bfloat* to) noexcept {
  std::transform(from.begin(), from.end(), to, [](float x) { return to_bfloat(x); });
}

/// What was laid out, to be written by the one who lays it out.
bfloat* own(const bfloat* place) noexcept {
  return const_cast<bfloat*>(place);
}
float* own(const float* place) noexcept {
  return const_cast<float*>(place);
}

}  // namespace

std::byte* adapter_layout::take(std::uint64_t bytes) noexcept {
  const auto at = std::exchange(used_, used_ + (bytes + alignment - 1) / alignment * alignment);
  return begin_ ? begin_ + at : nullptr;
}

void adapter_layout::begin_piece() {
  end_pieces();
  used_ = (used_ + piece_alignment - 1) / piece_alignment * piece_alignment;
  pieces_.push_back({used_, 0});
}

void adapter_layout::end_pieces() {
  if (!pieces_.empty()) pieces_.back().bytes = used_ - pieces_.back().offset;
}

gpu_adapter_packing::gpu_adapter_packing(const model_weights& base, std::span<const site_shape> sites,
                                         kept_copies copies, std::stop_token stop)
    : base_(base),
      model_(base.config()),
      shapes_(sites.begin(), sites.end()),
      copies_(copies),
      stop_(std::move(stop)),
      out_(std::make_shared<gpu_packed_adapter>()),
      places_(sites.size()),
      put_(sites.size()) {
  adapter_layout counted;
  lay_out(counted);
  host_bytes_ = counted.bytes();
  for (auto& piece : counted.pieces())
    if (piece.bytes != 0) out_->bytes_ += slab_allocator::charged(piece.bytes);
}

std::uint32_t gpu_adapter_packing::outputs_of(projection part) const noexcept {
  return static_cast<std::uint32_t>(shape_of(model_, part).out);
}

/// Gives everything its place, in the order in which a step reads it.
void gpu_adapter_packing::lay_out(adapter_layout& to) {
  auto& out = *out_;
  out.groups_.assign(groups_of(model_.layers), {});
  out.embedding_ = {};
  to.begin_piece();
  lay_out_embedding(to);
  for (std::uint32_t layer = 0; layer < model_.layers; ++layer) {
    to.begin_piece();
    for (auto which : {lora_group::qkv, lora_group::o, lora_group::gate_up, lora_group::down})
      lay_out_group(layer, which, to);
  }
  to.begin_piece();
  lay_out_group(0, lora_group::head, to);
  if (copies_.head) out.head_.weights = to.take_matrix(model_.vocab, model_.hidden);
  to.end_pieces();
  out.pieces_ = to.pieces();
}

/// The sites of one group, in the order of their parts: A stacked, B apart.
void gpu_adapter_packing::lay_out_group(std::uint32_t layer, lora_group which, adapter_layout& to) {
  auto& group = out_->groups_[group_index(layer, which, model_.layers)];
  std::vector<std::uint32_t> sites;
  for (std::uint32_t i = 0; i < shapes_.size(); ++i) {
    auto& s = shapes_[i];
    if (s.where != projection::embed && place_of(s.where).group == which && s.layer == layer)
      sites.push_back(i);
  }
  if (sites.empty()) return;
  std::ranges::sort(sites, {}, [&](std::uint32_t i) { return place_of(shapes_[i].where).part; });
  for (auto i : sites) {
    places_[i] = {&group, place_of(shapes_[i].where).part, group.ranks};
    group.ranks += shapes_[i].rank;
  }
  group.a_stride = padded(shapes_[sites.front()].in);
  group.a = to.take_matrix(group.ranks, group.a_stride);
  for (auto i : sites) {
    auto part = places_[i].first_part;
    for (auto projection : parts_of(shapes_[i].where)) {
      group.part[part].column = places_[i].column;
      lay_out_part(shapes_[i], outputs_of(projection), group.part[part++], to);
    }
  }
}

void gpu_adapter_packing::lay_out_part(const site_shape& s, std::uint32_t outputs, adapter_part& part,
                                       adapter_layout& to) const {
  part.rank = s.rank;
  part.scaling = s.scaling;
  part.b_stride = padded(outputs);
  part.b = to.take_matrix(s.rank, part.b_stride);
  if (s.magnitude) part.gain = to.take_vector(outputs);
  if (s.bias) part.offset = to.take_vector(outputs);
}

void gpu_adapter_packing::lay_out_embedding(adapter_layout& to) {
  auto& e = out_->embedding_;
  if (copies_.embed) e.table = to.take_matrix(model_.vocab, model_.hidden);
  const auto s = std::ranges::find(shapes_, projection::embed, &site_shape::where);
  if (s == shapes_.end()) return;
  e.rank = s->rank;
  e.scaling = s->scaling;
  e.a = to.take_matrix(s->in, s->rank);
  e.b_stride = padded(s->out);
  e.b = to.take_matrix(s->rank, e.b_stride);
}

result<void> gpu_adapter_packing::begin(const pinned_pool& from) {
  if (host_bytes_ == 0) return {};
  auto memory = from.take(host_bytes_);
  if (!memory) return std::move(memory).error();
  std::memset(memory->data(), 0, host_bytes_);
  out_->memory_ = *std::move(memory);
  adapter_layout to(out_->memory_.data());
  lay_out(to);
  if (copies_.embed)
    if (auto ok = put_copy(*copies_.embed, out_->embedding_.table); !ok) return ok;
  if (copies_.head) return put_copy(*copies_.head, out_->head_.weights);
  return {};
}

result<void> gpu_adapter_packing::put_copy(const module_copy& copy, const bfloat* to) {
  for (std::uint32_t row = 0; row < copy.rows; row += rows_at_once) {
    if (stop_.stop_requested()) return cancelled();
    const auto count = std::size_t{std::min(rows_at_once, copy.rows - row)} * copy.cols;
    const auto at = std::size_t{row} * copy.cols;
    round_to(std::span(copy.weight).subspan(at, count), own(to) + at);
  }
  return {};
}

result<void> gpu_adapter_packing::put(std::size_t number, const lora_site& s) {
  if (stop_.stop_requested()) return cancelled();
  if (number >= shapes_.size() || put_[number] || shape_of(s) != shapes_[number])
    return fail(errc::bad_adapter, "a module of the adapter is not the one that was announced",
                "shape_mismatch");
  if (auto ok = check_numbers(s); !ok) return ok;
  const auto& to = places_[number];
  if (auto ok = to.group ? put_pair(s, to) : put_embedding(s); !ok) return ok;
  put_[number] = 1;
  return {};
}

result<void> gpu_adapter_packing::put_pair(const lora_site& s, const place& to) {
  auto* a = own(to.group->a) + std::size_t{to.column} * to.group->a_stride;
  for (std::size_t r = 0; r < s.rank; ++r)
    round_to(std::span(s.a).subspan(r * s.in, s.in), a + r * to.group->a_stride);
  std::uint32_t first = 0;
  const auto* part = to.group->part + to.first_part;
  for (auto projection : parts_of(s.where)) {
    if (auto ok = put_part(s, projection, first, *part++); !ok) return ok;
    first += outputs_of(projection);
  }
  return {};
}

/// m / n of outputs [first, first + outputs of the part), of the base as it is served: in bfloat16.
result<std::vector<float>> gpu_adapter_packing::factors_of(const lora_site& s, projection part,
                                                           std::uint32_t first) const {
  auto base = weights_of(base_, s.layer, part);
  if (part == projection::head && copies_.head)
    base = {tensor_type::f32, s.out, s.in, std::as_bytes(std::span(copies_.head->weight)), 0};
  const auto served = [&](std::size_t row, std::span<float> out) {
    base.read_rows(row, out);
    std::ranges::transform(out, out.begin(), [](float x) { return to_float(to_bfloat(x)); });
  };
  return magnitude_factors(served, outputs_of(part), s, first, stop_);
}

/// Outputs [first, first + outputs of the part) of a site.
result<void> gpu_adapter_packing::put_part(const lora_site& s, projection part, std::uint32_t first,
                                           const adapter_part& to) {
  std::vector<float> factors;
  if (to.gain) {
    auto found = factors_of(s, part, first);
    if (!found) return std::move(found).error();
    factors = *std::move(found);
    std::ranges::transform(factors, own(to.gain), [](float factor) { return factor - 1; });
  }
  const auto outputs = outputs_of(part);
  if (auto ok = put_turned(s, first, outputs, factors, own(to.b), to.b_stride); !ok) return ok;
  if (to.offset)
    std::transform(s.bias.begin() + first, s.bias.begin() + first + outputs, own(to.offset),
                   [&](float bias) { return s.scaling * bias; });
  return {};
}

/// Rows [first, first + outputs) of B, each times its factor where there are factors, as columns.
result<void> gpu_adapter_packing::put_turned(const lora_site& s, std::uint32_t first, std::uint32_t outputs,
                                             std::span<const float> factors, bfloat* to,
                                             std::uint32_t stride) const {
  for (std::uint32_t output = 0; output < outputs; ++output) {
    if (output % rows_at_once == 0 && stop_.stop_requested()) return cancelled();
    const float* row = s.b.data() + (std::size_t{first} + output) * s.rank;
    for (std::size_t r = 0; r < s.rank; ++r)
      to[r * stride + output] = to_bfloat(factors.empty() ? row[r] : row[r] * factors[output]);
  }
  return {};
}

/// A is read by token, so it lies by token.
result<void> gpu_adapter_packing::put_embedding(const lora_site& s) {
  const auto& to = out_->embedding_;
  auto* a = own(to.a);
  for (std::size_t token = 0; token < s.in; ++token) {
    if (token % rows_at_once == 0 && stop_.stop_requested()) return cancelled();
    for (std::size_t r = 0; r < s.rank; ++r)
      a[token * s.rank + r] = to_bfloat(s.a[r * s.in + token]);
  }
  return put_turned(s, 0, s.out, {}, own(to.b), to.b_stride);
}

result<std::shared_ptr<const packed_adapter>> gpu_adapter_packing::finish(const adapter_version& version) {
  const auto there = std::ranges::count(put_, 1);
  if (there != std::ssize(shapes_))
    return fail(errc::internal, "packing ended after " + std::to_string(there) + " of " +
                                    std::to_string(shapes_.size()) + " modules");
  auto& out = *out_;
  out.version_ = version;
  std::set<std::uint32_t> ranks;
  for (auto& s : shapes_)
    ranks.insert(s.rank);
  out.ranks_.assign(ranks.begin(), ranks.end());
  out.shape_ = merge_shape_of(shapes_);
  return std::shared_ptr<const packed_adapter>(std::move(out_));
}

}  // namespace lorica::gpu
