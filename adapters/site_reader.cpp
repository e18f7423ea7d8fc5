#include "adapters/site_reader.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "adapters/finite_numbers.hpp"
#include "files/dequantise.hpp"

namespace lorica {
namespace {

constexpr std::size_t slice = std::size_t{1} << 18;  // elements between two looks at the stop token

}  // namespace

/// Into `out`, whose memory is used again.
result<void> site_reader::read(const stored_factor& factor, std::vector<std::byte>& stored,
                               std::vector<float>& out) const {
  const std::size_t width = block_bytes(factor.type);
  out.resize(static_cast<std::size_t>(factor.elements));
  for (std::size_t at = 0; at < out.size(); at += slice) {
    if (stop_.stop_requested()) return fail(errc::cancelled, "the load of the adapter was cancelled");
    auto part = std::span(out).subspan(at, std::min(slice, out.size() - at));
    auto bytes = std::as_writable_bytes(part);
    if (factor.type != tensor_type::f32) {
      stored.resize(std::max(stored.size(), part.size() * width));
      bytes = std::span(stored).first(part.size() * width);
    }
    if (auto ok = file_.read(factor.begin + at * width, bytes); !ok) return ok.error();
    if (told_) told_->bytes += bytes.size();
    if (factor.type != tensor_type::f32) dequantise(factor.type, bytes, part);
    if (auto ok = check_finite(factor.name, part, at); !ok) return ok.error();
  }
  return {};
}

result<void> site_reader::read(const std::optional<stored_factor>& factor, std::vector<std::byte>& stored,
                               std::vector<float>& out) const {
  if (factor) return read(*factor, stored, out);
  out.clear();
  return {};
}

result<void> site_reader::read(const planned_site& plan, site_buffer& out) const {
  const auto& shape = plan.shape;
  auto& site = out.site;
  site.layer = shape.layer;
  site.where = shape.where;
  site.rank = shape.rank;
  site.in = shape.in;
  site.out = shape.out;
  site.scaling = shape.scaling;
  if (auto ok = read(plan.a, out.stored, site.a); !ok) return ok;
  if (auto ok = read(plan.b, out.stored, site.b); !ok) return ok;
  if (auto ok = read(plan.bias, out.stored, site.bias); !ok) return ok;
  return read(plan.magnitude, out.stored, site.magnitude);
}

result<std::vector<module_copy>> site_reader::read_copies(const site_plan& plan) const {
  std::vector<module_copy> out;
  std::vector<std::byte> stored;
  for (const auto& planned : plan.copies) {
    out.push_back({planned.where, planned.rows, planned.cols, {}});
    if (auto ok = read(planned.weight, stored, out.back().weight); !ok) return ok.error();
  }
  return out;
}

}  // namespace lorica
