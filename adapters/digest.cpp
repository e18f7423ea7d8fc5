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

}  // namespace

result<adapter_version> digest_of(const std::vector<lora_site>& sites, const std::stop_token& stop) {
  sha256 hash;
  hash.update("lorica lora 1\n");
  for (const auto& site : sites) {
    add(hash, site.layer);
    add(hash, static_cast<std::uint32_t>(site.where));
    add(hash, site.rank);
    add(hash, site.in);
    add(hash, site.out);
    add(hash, site.scaling);
    if (!add_all(hash, site.a, stop) || !add_all(hash, site.b, stop))
      return fail(errc::cancelled, "the load of the adapter was cancelled");
  }
  return adapter_version{hash.finish()};
}

}  // namespace lorica
