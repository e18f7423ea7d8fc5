#include "cpu/adapter_packer.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <string>
#include <utility>

#include "cpu/bfloat.hpp"
#include "cpu/magnitude.hpp"
#include "cpu/packed_weights.hpp"

namespace lorica {
namespace {

/// Where a projection sits in the base's packed matrices; a fused one takes all parts from `part` on.
struct place {
  lora_group group;
  std::uint32_t part;
};

constexpr place place_of(projection p) noexcept {
  switch (p) {
    case projection::q: return {lora_group::qkv, 0};
    case projection::k: return {lora_group::qkv, 1};
    case projection::v: return {lora_group::qkv, 2};
    case projection::o: return {lora_group::o, 0};
    case projection::gate: return {lora_group::gate_up, 0};
    case projection::up: return {lora_group::gate_up, 1};
    case projection::qkv: return {lora_group::qkv, 0};
    case projection::gate_up: return {lora_group::gate_up, 0};
    case projection::head: return {lora_group::head, 0};
    default: return {lora_group::down, 0};
  }
}

/// The base's matrix of one part.
const tensor_view& weights_of(const model_weights& base, std::uint32_t layer, projection part) {
  auto& l = base.layers()[layer];
  switch (part) {
    case projection::q: return l.q;
    case projection::k: return l.k;
    case projection::v: return l.v;
    case projection::o: return l.o;
    case projection::gate: return l.gate;
    case projection::up: return l.up;
    case projection::head: return base.head();
    default: return l.down;
  }
}

/// The projections whose outputs a site's B holds one after the other.
std::vector<projection> parts_of(projection p) {
  using enum projection;
  if (p == qkv) return {q, k, v};
  if (p == gate_up) return {gate, up};
  return {p};
}

constexpr std::size_t tokens_at_once = 1024;  // between two looks at the stop token

error cancelled() {
  return fail(errc::cancelled, "packing was cancelled");
}

std::string name_of(const lora_site& s) {
  if (!in_layer(s.where)) return std::string(to_string(s.where));
  return "layer " + std::to_string(s.layer) + " " + std::string(to_string(s.where));
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
  for (std::size_t i = 0; i < values.size(); ++i)
    narrow[i] = to_bfloat(values[i]);
  std::memcpy(out + index * sizeof narrow[0], narrow, values.size() * sizeof narrow[0]);
}

/// The sites of a group of a layer, in the order of their parts.
std::vector<const lora_site*> sites_of(const adapter_weights& w, std::uint32_t layer, lora_group group) {
  std::vector<const lora_site*> out;
  for (auto& s : w.sites)
    if (s.where != projection::embed && s.layer == layer && place_of(s.where).group == group)
      out.push_back(&s);
  std::ranges::sort(out, {}, [](const lora_site* s) { return place_of(s->where).part; });
  return out;
}

}  // namespace

std::uint32_t cpu_packed_adapter::widest() const noexcept {
  std::uint32_t out = std::max(head_.ranks, embedding_.rank);
  for (auto& g : groups_)
    out = std::max(out, g.ranks);
  return out;
}

/// Pairs of bfloat16 need an even rank; the added row of A is zero.
std::uint32_t cpu_adapter_packer::stored_rank(std::uint32_t rank) const noexcept {
  return dtype_ == cpu_dtype::bfloat16 ? rank + rank % 2 : rank;
}

std::uint64_t cpu_adapter_packer::a_bytes(const lora_site& s) const noexcept {
  return std::uint64_t{stored_rank(s.rank)} * padded_depth(s.in) * element_bytes(dtype_);
}

std::uint64_t cpu_adapter_packer::b_bytes(const lora_site& s, std::uint32_t outputs) const noexcept {
  return std::uint64_t{blocks_for(outputs)} * block_outputs * stored_rank(s.rank) * element_bytes(dtype_);
}

std::uint64_t cpu_adapter_packer::head_bytes() const noexcept {
  return std::uint64_t{blocks_for(model_.vocab)} * block_outputs * padded_depth(model_.hidden) *
         element_bytes(dtype_);
}

std::uint64_t cpu_adapter_packer::embedding_bytes(std::uint32_t width) const noexcept {
  return std::uint64_t{model_.vocab} * width * element_bytes(dtype_);
}

/// What PEFT writes beside an adapted embedding is most often the base's own matrix, which costs nothing
/// here.
bool cpu_adapter_packer::equals_base(const module_copy& copy, const std::stop_token& stop) const {
  auto& base = copy.where == projection::embed ? base_->embedding() : base_->head();
  std::vector<float> row(copy.cols);
  for (std::uint32_t i = 0; i < copy.rows; ++i) {
    if (i % tokens_at_once == 0 && stop.stop_requested()) return false;
    base.read_rows(i, row);
    const float* own = copy.weight.data() + std::size_t{i} * copy.cols;
    bool same = dtype_ == cpu_dtype::float32 ? std::equal(row.begin(), row.end(), own)
                                             : std::equal(row.begin(), row.end(), own, [](float a, float b) {
                                                 return to_bfloat(a) == to_bfloat(b);
                                               });
    if (!same) return false;
  }
  return true;
}

cpu_adapter_packer::kept_copies cpu_adapter_packer::copies_of(const adapter_weights& weights,
                                                              const std::stop_token& stop) const {
  kept_copies out;
  for (auto& copy : weights.copies)
    if (!equals_base(copy, stop)) (copy.where == projection::embed ? out.embed : out.head) = &copy;
  return out;
}

std::uint64_t cpu_adapter_packer::unrounded_bytes(const adapter_weights& weights,
                                                  const kept_copies& copies) const noexcept {
  std::uint64_t out = 0;
  if (copies.embed) out += arena::rounded(embedding_bytes(model_.hidden));
  if (copies.head) out += arena::rounded(head_bytes());
  for (auto& s : weights.sites) {
    if (s.where == projection::embed) {
      out += arena::rounded(embedding_bytes(stored_rank(s.rank))) + arena::rounded(b_bytes(s, s.out));
      continue;
    }
    out += a_bytes(s) + arena::rounded(stored_rank(s.rank) * sizeof(float)) + arena::alignment;
    for (auto part : parts_of(s.where))
      out += arena::rounded(b_bytes(s, outputs_of(part))) + vector_bytes(s.bias, outputs_of(part)) +
             vector_bytes(s.magnitude, outputs_of(part));
  }
  return out;
}

/// Bytes of one number per output, where the site has them.
std::uint64_t cpu_adapter_packer::vector_bytes(const std::vector<float>& v, std::uint32_t outputs) noexcept {
  return v.empty() ? 0 : arena::rounded(std::uint64_t{blocks_for(outputs)} * block_outputs * sizeof(float));
}

std::uint32_t cpu_adapter_packer::outputs_of(projection part) const noexcept {
  return static_cast<std::uint32_t>(shape_of(model_, part).out);
}

std::uint64_t cpu_adapter_packer::packed_bytes(const adapter_weights& weights) const {
  return mapped_memory::rounded(unrounded_bytes(weights, copies_of(weights, {})));
}

result<void> cpu_adapter_packer::check(const adapter_weights& weights) const {
  std::set<std::pair<std::uint32_t, projection>> seen;
  for (auto& s : weights.sites) {
    auto want = shape_of(model_, s.where);
    auto known = projections_of(model_);
    if (in_layer(s.where) && std::ranges::find(known, s.where) == known.end())
      return fail(errc::bad_adapter, name_of(s) + ": the base has no such module", "unsupported_module");
    if (in_layer(s.where) ? s.layer >= model_.layers : s.layer != 0)
      return fail(errc::bad_adapter,
                  name_of(s) + ": the base has " + std::to_string(model_.layers) + " layers",
                  "shape_mismatch");
    if (s.in != want.in || s.out != want.out)
      return fail(errc::bad_adapter,
                  name_of(s) + ": is " + std::to_string(s.in) + " to " + std::to_string(s.out) +
                      ", the base has " + std::to_string(want.in) + " to " + std::to_string(want.out),
                  "shape_mismatch");
    if (s.rank == 0 || s.a.size() != std::size_t{s.rank} * s.in || s.b.size() != std::size_t{s.out} * s.rank)
      return fail(errc::bad_adapter, name_of(s) + ": A or B has not rank " + std::to_string(s.rank),
                  "shape_mismatch");
    for (auto* vector : {&s.bias, &s.magnitude})
      if (!vector->empty() && vector->size() != s.out)
        return fail(errc::bad_adapter,
                    name_of(s) + ": the bias of B or the magnitude has not one number per output",
                    "shape_mismatch");
    if (!seen.insert({s.layer, s.where}).second)
      return fail(errc::bad_adapter, name_of(s) + ": named twice", "shape_mismatch");
    if (s.where == projection::embed && !(s.bias.empty() && s.magnitude.empty()))
      return fail(errc::bad_adapter, name_of(s) + ": a lookup has no bias and no magnitude",
                  "unsupported_module");
  }
  for (auto& copy : weights.copies)
    if (in_layer(copy.where) || copy.rows != model_.vocab || copy.cols != model_.hidden ||
        copy.weight.size() != std::size_t{copy.rows} * copy.cols)
      return fail(errc::bad_adapter,
                  std::string(to_string(copy.where)) + ": a full copy that is not of " +
                      std::to_string(model_.vocab) + " tokens and width " + std::to_string(model_.hidden),
                  "shape_mismatch");
  return {};
}

/// Rows [first, first + rank) of the stacked A of a group; layout in lora.hpp.
void cpu_adapter_packer::pack_a(const lora_site& s, std::uint32_t first, const packed_group& group,
                                std::byte* out) const {
  const std::size_t run = dtype_ == cpu_dtype::float32 ? 16 : 32;
  for (std::size_t r = 0; r < s.rank; ++r) {
    const auto tile = (first + r) / rank_tile * rank_tile;
    const auto width = std::min<std::size_t>(rank_tile, group.ranks - tile);
    const auto lane = tile * group.depth + (first + r - tile) * run;
    for (std::size_t k = 0; k < s.in; k += run)
      store_run(dtype_, {s.a.data() + r * s.in + k, std::min<std::size_t>(run, s.in - k)}, out,
                lane + k * width);
  }
}

/// Rows [first, first + factors) of B, each times its factor; false when it was told to end.
bool cpu_adapter_packer::pack_b(const lora_site& s, std::uint32_t first, std::span<const float> factors,
                                std::byte* out, const std::stop_token& stop) const {
  const auto depth = stored_rank(s.rank);
  const auto bytes = std::size_t{depth} * block_outputs * element_bytes(dtype_);
  const auto outputs = static_cast<std::uint32_t>(factors.size());
  std::vector<float> scaled(std::size_t{block_outputs} * s.rank);
  for (std::uint32_t block = 0; block < blocks_for(outputs); ++block) {
    if (stop.stop_requested()) return false;
    const float* rows[block_outputs] = {};
    for (std::uint32_t lane = 0; lane < block_outputs && block * block_outputs + lane < outputs; ++lane) {
      const auto output = block * block_outputs + lane;
      const float* row = s.b.data() + (std::size_t{first} + output) * s.rank;
      rows[lane] = scaled.data() + std::size_t{lane} * s.rank;
      std::transform(row, row + s.rank, scaled.data() + std::size_t{lane} * s.rank,
                     [&](float b) { return b * factors[output]; });
    }
    pack_block(dtype_, rows, s.rank, depth, out + block * bytes);
  }
  return true;
}

/// Outputs [first, first + outputs of the part) of a site. Mappings begin as zeros, so padding is.
result<packed_site> cpu_adapter_packer::pack_part(const lora_site& s, projection part, std::uint32_t first,
                                                  const kept_copies& copies, arena& from,
                                                  const std::stop_token& stop) const {
  const auto outputs = outputs_of(part);
  packed_site out;
  out.part = place_of(part).part;
  out.rank = stored_rank(s.rank);
  out.blocks = blocks_for(outputs);
  std::vector<float> factors(outputs, 1.0f);
  if (!s.magnitude.empty()) {
    auto served = weights_of(*base_, s.layer, part);
    if (part == projection::head && copies.head)
      served = {tensor_type::f32, s.out, s.in, std::as_bytes(std::span(copies.head->weight)), 0};
    auto found = magnitude_factors(served, s, first, dtype_, stop);
    if (!found) return std::move(found).error();
    factors = *std::move(found);
    auto* gain = from.take_floats(std::uint64_t{out.blocks} * block_outputs);
    std::transform(factors.begin(), factors.end(), gain, [](float factor) { return factor - 1; });
    out.gain = gain;
  }
  auto* b = from.take(b_bytes(s, outputs));
  if (!pack_b(s, first, factors, b, stop)) return cancelled();
  out.b = b;
  if (!s.bias.empty()) {
    auto* offset = from.take_floats(std::uint64_t{out.blocks} * block_outputs);
    for (std::uint32_t i = 0; i < outputs; ++i)
      offset[i] = s.scaling * s.bias[first + i];
    out.offset = offset;
  }
  return out;
}

/// The sites of one group: A stacked, B apart.
result<packed_group> cpu_adapter_packer::pack_group(const std::vector<const lora_site*>& sites,
                                                    const kept_copies& copies, arena& from,
                                                    const std::stop_token& stop) const {
  packed_group group;
  if (sites.empty()) return group;
  std::uint64_t stacked = 0;
  for (auto* s : sites)
    stacked += a_bytes(*s);
  auto* a = from.take(stacked);
  group.a = a;
  group.depth = padded_depth(sites.front()->in);
  for (auto* s : sites)
    group.ranks += stored_rank(s->rank);
  std::uint32_t column = 0;
  for (auto* s : sites) {
    pack_a(*s, column, group, a);
    std::uint32_t first = 0;
    for (auto part : parts_of(s->where)) {
      if (stop.stop_requested()) return cancelled();
      auto packed = pack_part(*s, part, first, copies, from, stop);
      if (!packed) return std::move(packed).error();
      packed->column = column;
      group.site[group.sites++] = *packed;
      first += outputs_of(part);
    }
    column += stored_rank(s->rank);
  }
  auto* scaling = from.take_floats(group.ranks);
  group.scaling = scaling;
  for (auto* s : sites)
    scaling = std::fill_n(scaling, stored_rank(s->rank), s->scaling);
  return group;
}

result<packed_embedding> cpu_adapter_packer::pack_embedding(const adapter_weights& weights,
                                                            const kept_copies& copies, arena& from,
                                                            const std::stop_token& stop) const {
  packed_embedding out;
  auto place = [&](std::byte* to, std::size_t token, std::size_t width, auto number) {
    for (std::size_t k = 0; k < width; ++k)
      store(dtype_, number(k), to, token * width + k);
    return token % tokens_at_once != 0 || !stop.stop_requested();
  };
  auto site = std::ranges::find(weights.sites, projection::embed, &lora_site::where);
  if (site != weights.sites.end()) {
    out.rank = stored_rank(site->rank);
    out.scaling = site->scaling;
    auto* a = from.take(embedding_bytes(out.rank));
    auto* b = from.take(b_bytes(*site, site->out));
    for (std::size_t token = 0; token < site->in; ++token)
      if (!place(a, token, out.rank,
                 [&](std::size_t r) { return r < site->rank ? site->a[r * site->in + token] : 0.0f; }))
        return cancelled();
    if (!pack_b(*site, 0, std::vector<float>(site->out, 1.0f), b, stop)) return cancelled();
    out.a = a;
    out.b = b;
  }
  if (!copies.embed) return out;
  auto* table = from.take(embedding_bytes(model_.hidden));
  for (std::size_t token = 0; token < model_.vocab; ++token)
    if (!place(table, token, model_.hidden,
               [&](std::size_t k) { return copies.embed->weight[token * model_.hidden + k]; }))
      return cancelled();
  out.table = table;
  return out;
}

/// As `packed_weights` lays out the base's head.
result<packed_matrix> cpu_adapter_packer::pack_head(const module_copy& copy, arena& from,
                                                    const std::stop_token& stop) const {
  packed_matrix out;
  out.depth = padded_depth(copy.cols);
  out.blocks = blocks_for(copy.rows);
  auto* data = from.take(head_bytes());
  for (std::uint32_t block = 0; block < out.blocks; ++block) {
    if (stop.stop_requested()) return cancelled();
    const float* rows[block_outputs] = {};
    for (std::uint32_t lane = 0; lane < block_outputs && block * block_outputs + lane < copy.rows; ++lane)
      rows[lane] = copy.weight.data() + (std::size_t{block} * block_outputs + lane) * copy.cols;
    pack_block(dtype_, rows, copy.cols, out.depth, data + block * out.block_bytes(dtype_));
  }
  out.data = data;
  return out;
}

result<std::shared_ptr<const packed_adapter>> cpu_adapter_packer::pack(const adapter_weights& weights,
                                                                       std::stop_token stop) const {
  if (auto ok = check(weights); !ok) return ok.error();
  if (stop.stop_requested()) return cancelled();
  const auto copies = copies_of(weights, stop);
  if (stop.stop_requested()) return cancelled();
  auto memory = mapped_memory::allocate(unrounded_bytes(weights, copies), "an adapter");
  if (!memory) return std::move(memory).error();
  auto out = std::make_shared<cpu_packed_adapter>();
  out->version_ = weights.version;
  out->dtype_ = dtype_;
  out->memory_ = *std::move(memory);
  out->groups_.resize(std::size_t{model_.layers} * lora_group_count);
  arena left(out->memory_.data());
  auto into = [&](packed_group& group, std::uint32_t layer, lora_group which) -> result<void> {
    if (stop.stop_requested()) return cancelled();
    auto packed = pack_group(sites_of(weights, layer, which), copies, left, stop);
    if (!packed) return std::move(packed).error();
    group = *std::move(packed);
    return {};
  };
  for (std::size_t g = 0; g < out->groups_.size(); ++g)
    if (auto ok = into(out->groups_[g], static_cast<std::uint32_t>(g / lora_group_count),
                       static_cast<lora_group>(g % lora_group_count));
        !ok)
      return ok.error();
  if (auto ok = into(out->head_, 0, lora_group::head); !ok) return ok.error();
  auto embedding = pack_embedding(weights, copies, left, stop);
  if (!embedding) return std::move(embedding).error();
  out->embedding_ = *embedding;
  if (copies.head) {
    auto head = pack_head(*copies.head, left, stop);
    if (!head) return std::move(head).error();
    out->head_matrix_ = *head;
  }
  std::set<std::uint32_t> ranks;
  for (auto& s : weights.sites)
    ranks.insert(s.rank);
  out->ranks_.assign(ranks.begin(), ranks.end());
  out->shape_ = merge_shape_of(weights);
  return std::shared_ptr<const packed_adapter>(std::move(out));
}

}  // namespace lorica
