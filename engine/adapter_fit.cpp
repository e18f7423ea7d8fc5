#include "engine/adapter_fit.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace lorica {
namespace {

error misshapen(std::string text) {
  return fail(errc::bad_adapter, std::move(text), "shape_mismatch");
}

}  // namespace

result<void> check_sites(const model_config& base, std::span<const site_shape> sites) {
  std::set<std::pair<std::uint32_t, projection>> seen;
  for (auto& s : sites) {
    auto want = shape_of(base, s.where);
    auto known = projections_of(base);
    if (in_layer(s.where) && std::ranges::find(known, s.where) == known.end())
      return fail(errc::bad_adapter, name_of(s) + ": the base has no such module", "unsupported_module");
    if (in_layer(s.where) ? s.layer >= base.layers : s.layer != 0)
      return misshapen(name_of(s) + ": the base has " + std::to_string(base.layers) + " layers");
    if (s.in != want.in || s.out != want.out)
      return misshapen(name_of(s) + ": is " + std::to_string(s.in) + " to " + std::to_string(s.out) +
                       ", the base has " + std::to_string(want.in) + " to " + std::to_string(want.out));
    if (!seen.insert({s.layer, s.where}).second) return misshapen(name_of(s) + ": named twice");
    if (s.where == projection::embed && (s.bias || s.magnitude))
      return fail(errc::bad_adapter, name_of(s) + ": a lookup has no bias and no magnitude",
                  "unsupported_module");
  }
  return {};
}

result<void> check_copies(const model_config& base, std::span<const module_copy> copies) {
  for (auto& copy : copies)
    if (in_layer(copy.where) || copy.rows != base.vocab || copy.cols != base.hidden ||
        copy.weight.size() != std::size_t{copy.rows} * copy.cols)
      return misshapen(std::string(to_string(copy.where)) + ": a full copy that is not of " +
                       std::to_string(base.vocab) + " tokens and width " + std::to_string(base.hidden));
  return {};
}

result<void> check_numbers(const lora_site& s) {
  if (s.rank == 0 || s.a.size() != std::size_t{s.rank} * s.in || s.b.size() != std::size_t{s.out} * s.rank)
    return misshapen(name_of(shape_of(s)) + ": A or B has not rank " + std::to_string(s.rank));
  for (auto* vector : {&s.bias, &s.magnitude})
    if (!vector->empty() && vector->size() != s.out)
      return misshapen(name_of(shape_of(s)) +
                       ": the bias of B or the magnitude has not one number per output");
  return {};
}

std::vector<projection> parts_of(projection where) {
  using enum projection;
  if (where == qkv) return {q, k, v};
  if (where == gate_up) return {gate, up};
  return {where};
}

const tensor_view& weights_of(const model_weights& base, std::uint32_t layer, projection part) noexcept {
  if (part == projection::head) return base.head();
  auto& l = base.layers()[layer];
  switch (part) {
    case projection::q: return l.q;
    case projection::k: return l.k;
    case projection::v: return l.v;
    case projection::o: return l.o;
    case projection::gate: return l.gate;
    case projection::up: return l.up;
    default: return l.down;
  }
}

}  // namespace lorica
