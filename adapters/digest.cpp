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

void begin(sha256& hash, digest_beside::form how, std::size_t sites) {
  const bool more = how == digest_beside::form::more;
  hash.update(more ? "lorica lora 2\n" : "lorica lora 1\n");
  if (more) add(hash, static_cast<std::uint32_t>(sites));
}

bool add_site(sha256& hash, digest_beside::form how, const lora_site& site, const std::stop_token& stop) {
  return add_pair(hash, site, stop) && (how == digest_beside::form::pairs || add_extras(hash, site, stop));
}

bool add_copies(sha256& hash, digest_beside::form how, const std::vector<module_copy>& copies,
                const std::stop_token& stop) {
  if (how == digest_beside::form::pairs) return true;
  add(hash, static_cast<std::uint32_t>(copies.size()));
  for (const auto& copy : copies) {
    add(hash, static_cast<std::uint32_t>(copy.where));
    add(hash, copy.rows);
    add(hash, copy.cols);
    if (!add_all(hash, copy.weight, stop)) return false;
  }
  return true;
}

}  // namespace

result<adapter_version> digest_of(const adapter_weights& weights, const std::stop_token& stop) {
  const auto& sites = weights.sites;
  bool more = !weights.copies.empty() ||
              std::any_of(sites.begin(), sites.end(), [](const auto& site) { return extras(site) != 0; });
  const auto how = more ? digest_beside::form::more : digest_beside::form::pairs;
  sha256 hash;
  begin(hash, how, sites.size());
  for (const auto& site : sites)
    if (!add_site(hash, how, site, stop)) return cancelled();
  if (!add_copies(hash, how, weights.copies, stop)) return cancelled();
  return adapter_version{hash.finish()};
}

digest_beside::digest_beside(const std::vector<lora_site>& sites, std::size_t count, form how,
                             const std::stop_token& stop)
    : sites_(sites.data()), count_(count), form_(how), stop_(stop), thread_([this] { run(); }) {}

digest_beside::~digest_beside() {
  if (!thread_.joinable()) return;
  have(given_up);
  thread_.join();
}

void digest_beside::have(std::size_t sites) {
  ready_ = sites;
  ready_.notify_one();
}

void digest_beside::run() {
  begin(hash_, form_, count_);
  for (std::size_t next = 0; next < count_; ++next) {
    auto ready = ready_.load();
    for (; ready <= next; ready = ready_.load())
      ready_.wait(ready);
    if (ready == given_up || !add_site(hash_, form_, sites_[next], stop_)) return;
  }
  complete_ = true;
}

result<adapter_version> digest_beside::finish(const std::vector<module_copy>& copies) {
  thread_.join();
  if (!complete_ || !add_copies(hash_, form_, copies, stop_)) return cancelled();
  return adapter_version{hash_.finish()};
}

}  // namespace lorica
