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

bool add_all(sha256& hash, std::span<const float> numbers, const std::stop_token& stop) {
  for (std::size_t at = 0; at < numbers.size(); at += slice) {
    if (stop.stop_requested()) return false;
    hash.update(std::as_bytes(numbers.subspan(at, std::min(slice, numbers.size() - at))));
  }
  return true;
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
  bool all = add_all(hash, site.a, stop) && add_all(hash, site.b, stop) && add_all(hash, site.bias, stop) &&
             add_all(hash, site.magnitude, stop);
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
  hash.update("lorica adapter 1\n");
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
