#include "adapters/inspection.hpp"

#include <chrono>
#include <random>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

std::vector<float> random_numbers(std::mt19937& random, std::size_t count) {
  std::uniform_real_distribution<float> in(-1, 1);
  std::vector<float> out(count);
  for (auto& x : out)
    x = in(random);
  return out;
}

// Sites of different sizes, some with more than a pair.
adapter_weights random_weights(std::uint32_t sites, bool more) {
  std::mt19937 random(sites);
  auto up_to = [&](std::uint32_t most) {
    return std::uniform_int_distribution<std::uint32_t>(1, most)(random);
  };
  adapter_weights out;
  for (std::uint32_t i = 0; i < sites; ++i) {
    lora_site site;
    site.layer = i / 7;
    site.where = static_cast<projection>(i % 7);
    site.rank = up_to(9);
    site.in = up_to(200);
    site.out = up_to(3000);
    site.scaling = 0.5f;
    site.a = random_numbers(random, std::size_t{site.rank} * site.in);
    site.b = random_numbers(random, std::size_t{site.rank} * site.out);
    if (more && i % 3 == 0) site.bias = random_numbers(random, site.out);
    if (more && i % 4 == 0) site.magnitude = random_numbers(random, site.out);
    out.sites.push_back(std::move(site));
  }
  return out;
}

// As a reader would: one after the other into whichever buffer is free, in the time that a file may take.
result<inspected> inspect(const adapter_weights& weights, std::size_t buffers, digest_form form,
                          std::vector<lora_site>* kept = nullptr) {
  inspection found(weights.sites.size(), buffers, form, {});
  std::mt19937 random(static_cast<unsigned>(buffers));
  for (auto& site : weights.sites) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 100);
    while (std::chrono::steady_clock::now() < end) {
    }
    auto to = found.next();
    if (!to) return to.error();
    **to = site;
    found.have();
  }
  auto out = found.finish(weights.copies);
  if (kept) *kept = found.take_sites();
  return out;
}

}  // namespace

TEST_CASE("sites that pass through few buffers have the version and the norms that they have together") {
  auto more = GENERATE(false, true);
  auto weights = random_weights(40, more);
  if (more) {
    std::mt19937 random(1);
    weights.copies.push_back({projection::head, 5, 7, random_numbers(random, 35)});
  }
  auto version = digest_of(weights, {});
  REQUIRE(version);
  for (std::size_t buffers : {1u, 2u, 3u, 7u, 39u, 40u, 1000u}) {
    auto found = inspect(weights, buffers, more ? digest_form::more : digest_form::pairs);
    REQUIRE(found);
    CHECK(found->version == *version);
    REQUIRE(found->modules.size() == weights.sites.size());
    for (std::size_t i = 0; i < weights.sites.size(); ++i) {
      auto alone = measure(weights.sites[i]);
      CHECK(found->modules[i].layer == weights.sites[i].layer);
      CHECK(found->modules[i].where == weights.sites[i].where);
      CHECK(found->modules[i].norm_a == alone.norm_a);
      CHECK(found->modules[i].norm_update == alone.norm_update);
      CHECK(found->modules[i].parameters == alone.parameters);
    }
  }
}

TEST_CASE("with a buffer for each the sites are kept in order") {
  auto weights = random_weights(20, true);
  std::vector<lora_site> kept;
  REQUIRE(inspect(weights, weights.sites.size(), digest_form::more, &kept));
  REQUIRE(kept.size() == weights.sites.size());
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK(shape_of(kept[i]) == shape_of(weights.sites[i]));
    CHECK(kept[i].b == weights.sites[i].b);
  }
}

TEST_CASE("an adapter without sites has a version too") {
  adapter_weights none;
  auto found = inspect(none, 4, digest_form::pairs);
  REQUIRE(found);
  CHECK(found->version == *digest_of(none, {}));
  CHECK(found->modules.empty());
}

TEST_CASE("an inspection that is left in the middle ends") {
  auto weights = random_weights(12, false);
  for (std::size_t read = 0; read < 12; ++read) {
    inspection found(12, 3, digest_form::pairs, {});
    for (std::size_t i = 0; i < read; ++i) {
      auto to = found.next();
      REQUIRE(to);
      **to = weights.sites[i];
      found.have();
    }
  }
}

TEST_CASE("an inspection that is stopped says so and nothing else") {
  auto weights = random_weights(12, false);
  std::stop_source stop;
  inspection found(12, 3, digest_form::pairs, stop.get_token());
  stop.request_stop();
  result<lora_site*> to = nullptr;
  for (auto& site : weights.sites) {
    to = found.next();
    if (!to) break;
    **to = site;
    found.have();
  }
  // Three sites fit before somebody must have looked at the first.
  REQUIRE_FALSE(to);
  CHECK(to.error().code == errc::cancelled);
}
