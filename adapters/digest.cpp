#include "adapters/digest.hpp"

#include <algorithm>
#include <bit>
#include <cstddef>

namespace lorica {
namespace {

static_assert(std::endian::native == std::endian::little, "the digest is defined over little-endian numbers");

constexpr std::size_t slice = std::size_t{1} << 20;  // elements between two looks at the stop token

template <class T>
void add_number(sha256& hash, const T& number) {
  hash.update(std::as_bytes(std::span(&number, 1)));
}

/// Whether bfloat16 loses nothing of any: the lower half of each is zero.
bool all_bfloat16(std::span<const float> numbers) {
  std::uint32_t all = 0;
  for (float x : numbers)
    all |= std::bit_cast<std::uint32_t>(x);
  return (all & 0xffff) == 0;
}

void add_upper_halves(sha256& hash, std::span<const float> numbers) {
  std::array<std::uint16_t, 8192> halves;
  for (std::size_t at = 0; at < numbers.size(); at += halves.size()) {
    const auto part = numbers.subspan(at, std::min(halves.size(), numbers.size() - at));
    for (std::size_t i = 0; i < part.size(); ++i)
      halves[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(part[i]) >> 16);
    hash.update(std::as_bytes(std::span(halves).first(part.size())));
  }
}

bool add_all(sha256& hash, std::span<const float> numbers, const std::stop_token& stop) {
  const bool narrow = all_bfloat16(numbers);
  add_number(hash, std::uint32_t{narrow ? 2u : 4u});
  for (std::size_t at = 0; at < numbers.size(); at += slice) {
    if (stop.stop_requested()) return false;
    const auto part = numbers.subspan(at, std::min(slice, numbers.size() - at));
    if (narrow)
      add_upper_halves(hash, part);
    else
      hash.update(std::as_bytes(part));
  }
  return true;
}

/// Of what need not be there.
bool add_extra(sha256& hash, std::span<const float> numbers, const std::stop_token& stop) {
  return numbers.empty() || add_all(hash, numbers, stop);
}

void add_parts(sha256& hash, std::span<const part_digest> parts) {
  add_number(hash, static_cast<std::uint32_t>(parts.size()));
  hash.update(std::as_bytes(parts));
}

template <class Part>
bool add_digest(sha256& hash, const Part& part, const std::stop_token& stop, std::vector<part_digest>& out) {
  auto digest = digest_of(hash, part, stop);
  if (digest) out.push_back(*digest);
  return digest.has_value();
}

}  // namespace

std::optional<part_digest> digest_of(sha256& hash, const lora_site& site, const std::stop_token& stop) {
  add_number(hash, site.layer);
  add_number(hash, static_cast<std::uint32_t>(site.where));
  add_number(hash, site.rank);
  add_number(hash, site.in);
  add_number(hash, site.out);
  add_number(hash, site.scaling);
  add_number(hash, (site.bias.empty() ? 0u : 1u) + (site.magnitude.empty() ? 0u : 2u));
  bool all = add_all(hash, site.a, stop) && add_all(hash, site.b, stop) && add_extra(hash, site.bias, stop) &&
             add_extra(hash, site.magnitude, stop);
  auto digest = hash.finish();
  return all ? std::optional(digest) : std::nullopt;
}

std::optional<part_digest> digest_of(sha256& hash, const module_copy& copy, const std::stop_token& stop) {
  add_number(hash, static_cast<std::uint32_t>(copy.where));
  add_number(hash, copy.rows);
  add_number(hash, copy.cols);
  bool all = add_all(hash, copy.weight, stop);
  auto digest = hash.finish();
  return all ? std::optional(digest) : std::nullopt;
}

adapter_version version_of(std::span<const part_digest> sites, std::span<const part_digest> copies) {
  sha256 hash;
  hash.update("lorica adapter 2\n");
  add_parts(hash, sites);
  add_parts(hash, copies);
  return adapter_version{hash.finish()};
}

result<adapter_version> version_of(const adapter_weights& weights, const std::stop_token& stop) {
  sha256 hash;
  std::vector<part_digest> sites, copies;
  bool all =
      std::ranges::all_of(weights.sites, [&](auto& site) { return add_digest(hash, site, stop, sites); }) &&
      std::ranges::all_of(weights.copies, [&](auto& copy) { return add_digest(hash, copy, stop, copies); });
  if (!all) return fail(errc::cancelled, "the load of the adapter was cancelled");
  return version_of(sites, copies);
}

}  // namespace lorica
