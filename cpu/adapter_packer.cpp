#include "cpu/adapter_packer.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "cpu/packed_weights.hpp"

namespace lorica {
namespace {

constexpr std::uint64_t line = 64;  // every matrix begins on a cache line

lora_input input_of(projection p) {
  switch (p) {
    case projection::q:
    case projection::k:
    case projection::v: return lora_input::qkv;
    case projection::o: return lora_input::o;
    case projection::gate:
    case projection::up: return lora_input::gate_up;
    default: return lora_input::down;
  }
}

std::uint64_t aligned(std::uint64_t bytes) {
  return (bytes + line - 1) / line * line;
}

std::uint64_t padded(std::uint32_t out) {
  return (std::uint64_t{out} + lanes - 1) / lanes * lanes;
}

/// Where the output of a projection begins in the joined output of its input.
std::uint32_t column_of(projection p, const std::array<std::uint32_t, 7>& out) {
  auto width = [&](projection q) { return out[static_cast<std::uint8_t>(q)]; };
  if (p == projection::k) return width(projection::q);
  if (p == projection::v) return width(projection::q) + width(projection::k);
  return p == projection::up ? width(projection::gate) : 0;
}

using site_list = std::vector<const lora_site*>;

/// Sites by layer and input; A of a group is stacked in the order of the projections.
std::vector<std::array<site_list, lora_inputs>> group_sites(const adapter_weights& w, std::uint32_t layers) {
  std::vector<std::array<site_list, lora_inputs>> out(layers);
  for (auto& s : w.sites)
    out[s.layer][static_cast<std::uint8_t>(input_of(s.where))].push_back(&s);
  for (auto& layer : out)
    for (auto& group : layer)
      std::sort(group.begin(), group.end(), [](auto* a, auto* b) { return a->where < b->where; });
  return out;
}

std::uint64_t group_bytes(const site_list& sites, cpu_dtype type) {
  std::uint64_t a = 0, b = 0;
  for (auto* s : sites) {
    a += std::uint64_t{s->rank} * s->in * element_bytes(type);
    b += aligned(padded(s->out) * s->rank * element_bytes(type));
  }
  return aligned(a) + b;
}

void pack_b(const lora_site& s, std::byte* where, cpu_dtype type) {
  for (std::uint32_t o = 0; o < s.out; ++o)
    for (std::uint32_t r = 0; r < s.rank; ++r)
      store_element(where, (std::size_t{o} / lanes * s.rank + r) * lanes + o % lanes,
                    s.b[std::size_t{o} * s.rank + r], type);
}

}  // namespace

result<void> cpu_adapter_packer::check(const adapter_weights& weights) const {
  std::set<std::pair<std::uint32_t, projection>> seen;
  for (auto& s : weights.sites) {
    auto p = static_cast<std::uint8_t>(s.where);
    bool fits = s.layer < shape_.layers && p < projection_count && s.rank > 0 && s.in == shape_.in[p] &&
                s.out == shape_.out[p] && s.a.size() == std::size_t{s.rank} * s.in &&
                s.b.size() == std::size_t{s.out} * s.rank && seen.emplace(s.layer, s.where).second;
    if (!fits)
      return fail(errc::bad_adapter, "layer " + std::to_string(s.layer) + " does not fit the base model",
                  "shape_mismatch");
  }
  return {};
}

std::uint64_t cpu_adapter_packer::packed_bytes(const adapter_weights& weights) const {
  std::uint64_t out = 0;
  if (!check(weights)) return out;
  for (auto& layer : group_sites(weights, shape_.layers))
    for (auto& group : layer)
      out += group_bytes(group, type_);
  return out;
}

result<std::shared_ptr<const packed_adapter>> cpu_adapter_packer::pack(const adapter_weights& weights,
                                                                       std::stop_token stop) const {
  if (auto ok = check(weights); !ok) return ok.error();
  auto memory = mapping::make(packed_bytes(weights));
  if (!memory) return std::move(memory).error();
  auto out = std::make_shared<cpu_packed_adapter>();
  out->version_ = weights.version;
  out->type_ = type_;
  out->memory_ = *std::move(memory);
  out->groups_.resize(shape_.layers);
  std::set<std::uint32_t> ranks;
  auto* next = out->memory_.data();
  auto grouped = group_sites(weights, shape_.layers);
  for (std::uint32_t layer = 0; layer < shape_.layers; ++layer) {
    if (stop.stop_requested()) return fail(errc::cancelled, "loading was cancelled");
    for (std::uint32_t input = 0; input < lora_inputs; ++input) {
      auto& sites = grouped[layer][input];
      auto& group = out->groups_[layer][input];
      group.a = next;
      std::size_t element = 0;
      for (auto* s : sites) {
        group.sites.push_back(
            {s->rank, group.ranks, column_of(s->where, shape_.out), s->out, s->scaling, nullptr});
        group.ranks += s->rank;
        ranks.insert(s->rank);
        for (float v : s->a)
          store_element(next, element++, v, type_);
      }
      next += aligned(element * element_bytes(type_));
      for (std::size_t i = 0; i < sites.size(); ++i) {
        group.sites[i].b = next;
        pack_b(*sites[i], next, type_);
        next += aligned(padded(sites[i]->out) * sites[i]->rank * element_bytes(type_));
      }
      out->most_ranks_ = std::max(out->most_ranks_, group.ranks);
    }
  }
  out->ranks_.assign(ranks.begin(), ranks.end());
  return std::shared_ptr<const packed_adapter>(std::move(out));
}

}  // namespace lorica
