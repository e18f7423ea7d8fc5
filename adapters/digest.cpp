#include "adapters/digest.hpp"

#include <algorithm>
#include <bit>
#include <span>

#include "core/sha256.hpp"

namespace lorica {
namespace {

static_assert(std::endian::native == std::endian::little, "the digest is defined over little-endian numbers");

constexpr std::size_t slice = std::size_t{1} << 20;  // elements between two looks at the stop token

template <class T>
void add(sha256& hash, const T& number) {
  hash.update(std::as_bytes(std::span(&number, 1)));
}

bool add_all(sha256& hash, std::span<const float> numbers, const std::stop_token& stop) {
  for (std::size_t at = 0; at < numbers.size(); at += slice) {
    if (stop.stop_requested()) return false;
    hash.update(std::as_bytes(numbers.subspan(at, std::min(slice, numbers.size() - at))));
  }
  return true;
}

error cancelled() {
  return fail(errc::cancelled, "the load of the adapter was cancelled");
}

bool add_pair(sha256& hash, const lora_site& site, const std::stop_token& stop) {
  add(hash, site.layer);
  add(hash, static_cast<std::uint32_t>(site.where));
  add(hash, site.rank);
  add(hash, site.in);
  add(hash, site.out);
  add(hash, site.scaling);
  return add_all(hash, site.a, stop) && add_all(hash, site.b, stop);
}

// What a site has besides its pair.
std::uint32_t extras(const lora_site& site) {
  return (site.bias.empty() ? 0u : 1u) + (site.magnitude.empty() ? 0u : 2u);
}

bool add_extras(sha256& hash, const lora_site& site, const std::stop_token& stop) {
  add(hash, extras(site));
  return add_all(hash, site.bias, stop) && add_all(hash, site.magnitude, stop);
}

}  // namespace

result<adapter_version> digest_of(const adapter_weights& weights, const std::stop_token& stop) {
  const auto& sites = weights.sites;
  bool more = !weights.copies.empty() ||
              std::any_of(sites.begin(), sites.end(), [](const auto& site) { return extras(site) != 0; });
  sha256 hash;
  hash.update(more ? "lorica lora 2\n" : "lorica lora 1\n");
  if (more) add(hash, static_cast<std::uint32_t>(sites.size()));
  for (const auto& site : sites)
    if (!add_pair(hash, site, stop) || (more && !add_extras(hash, site, stop))) return cancelled();
  if (more) add(hash, static_cast<std::uint32_t>(weights.copies.size()));
  for (const auto& copy : weights.copies) {
    add(hash, static_cast<std::uint32_t>(copy.where));
    add(hash, copy.rows);
    add(hash, copy.cols);
    if (!add_all(hash, copy.weight, stop)) return cancelled();
  }
  return adapter_version{hash.finish()};
}

}  // namespace lorica
