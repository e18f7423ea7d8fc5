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

error cancelled() {
  return fail(errc::cancelled, "the load of the adapter was cancelled");
}

bool add_pair(sha256& hash, const lora_site& site, const std::stop_token& stop) {
  add_number(hash, site.layer);
  add_number(hash, static_cast<std::uint32_t>(site.where));
  add_number(hash, site.rank);
  add_number(hash, site.in);
  add_number(hash, site.out);
  add_number(hash, site.scaling);
  return add_all(hash, site.a, stop) && add_all(hash, site.b, stop);
}

// What a site has besides its pair.
std::uint32_t extras(const lora_site& site) {
  return (site.bias.empty() ? 0u : 1u) + (site.magnitude.empty() ? 0u : 2u);
}

bool add_extras(sha256& hash, const lora_site& site, const std::stop_token& stop) {
  add_number(hash, extras(site));
  return add_all(hash, site.bias, stop) && add_all(hash, site.magnitude, stop);
}

}  // namespace

content_digest::content_digest(digest_form form, std::size_t sites) : form_(form) {
  const bool more = form == digest_form::more;
  hash_.update(more ? "lorica lora 2\n" : "lorica lora 1\n");
  if (more) add_number(hash_, static_cast<std::uint32_t>(sites));
}

bool content_digest::add(const lora_site& site, const std::stop_token& stop) {
  return add_pair(hash_, site, stop) && (form_ == digest_form::pairs || add_extras(hash_, site, stop));
}

bool content_digest::add(const std::vector<module_copy>& copies, const std::stop_token& stop) {
  if (form_ == digest_form::pairs) return true;
  add_number(hash_, static_cast<std::uint32_t>(copies.size()));
  for (const auto& copy : copies) {
    add_number(hash_, static_cast<std::uint32_t>(copy.where));
    add_number(hash_, copy.rows);
    add_number(hash_, copy.cols);
    if (!add_all(hash_, copy.weight, stop)) return false;
  }
  return true;
}

result<adapter_version> digest_of(const adapter_weights& weights, const std::stop_token& stop) {
  const auto& sites = weights.sites;
  bool more = !weights.copies.empty() ||
              std::any_of(sites.begin(), sites.end(), [](const auto& site) { return extras(site) != 0; });
  content_digest out(more ? digest_form::more : digest_form::pairs, sites.size());
  for (const auto& site : sites)
    if (!out.add(site, stop)) return cancelled();
  if (!out.add(weights.copies, stop)) return cancelled();
  return out.finish();
}

}  // namespace lorica
