#include "adapters/inspection.hpp"

#include <atomic>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

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

// What is in memory, on so many threads.
result<inspected> inspect_weights(adapter_weights& weights, unsigned threads) {
  site_work work;
  work.read = [&](std::size_t site, site_buffer&) -> result<lora_site*> { return &weights.sites[site]; };
  return inspect(weights.sites.size(), threads, {}, work);
}

}  // namespace

TEST_CASE("a stopped digest is none, and leaves its hash at the beginning") {
  auto weights = random_weights(1, false);
  sha256 hash;
  auto whole = digest_of(hash, weights.sites[0], {});
  REQUIRE(whole);
  std::stop_source stop;
  stop.request_stop();
  CHECK_FALSE(digest_of(hash, weights.sites[0], stop.get_token()));
  CHECK(digest_of(hash, weights.sites[0], {}) == whole);
}

TEST_CASE("any number of threads finds what one thread finds") {
  auto weights = random_weights(40, GENERATE(false, true));
  auto version = version_of(weights, {});
  REQUIRE(version);
  for (auto threads : {1u, 2u, 3u, 8u, 100u}) {
    auto found = inspect_weights(weights, threads);
    REQUIRE(found);
    CHECK(version_of(found->digests, {}) == *version);
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

TEST_CASE("every site is read once and handed on once, out of the buffer of its thread") {
  auto weights = random_weights(60, true);
  std::vector<std::atomic<int>> read(60), taken(60);
  std::atomic<int> wrong = 0;
  site_work work;
  work.read = [&](std::size_t site, site_buffer& buffer) -> result<lora_site*> {
    ++read[site];
    buffer.site = weights.sites[site];
    return &buffer.site;
  };
  work.take = [&](std::size_t site, lora_site& found) -> result<void> {
    ++taken[site];
    if (found.b != weights.sites[site].b || shape_of(found) != shape_of(weights.sites[site])) ++wrong;
    return {};
  };
  REQUIRE(inspect(60, 4, {}, work));
  for (std::size_t i = 0; i < 60; ++i)
    CHECK((read[i] == 1 && taken[i] == 1));
  CHECK(wrong == 0);
}

TEST_CASE("an adapter without sites has a version too") {
  adapter_weights none;
  auto found = inspect_weights(none, 4);
  REQUIRE(found);
  CHECK(version_of(found->digests, {}) == *version_of(none, {}));
  CHECK(found->modules.empty());
}

TEST_CASE("of several sites that fail the first says why, whoever comes first") {
  auto weights = random_weights(50, false);
  const bool first_comes_last = GENERATE(false, true);
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> began = false;  // the one that has to come before the other
    auto wait = [&] {
      for (int i = 0; i < 10'000 && !began; ++i)
        std::this_thread::yield();
      for (int i = 0; i < 100; ++i)  // it has only begun to fail
        std::this_thread::yield();
    };
    site_work work;
    work.read = [&](std::size_t site, site_buffer&) -> result<lora_site*> {
      if (site < 20) return &weights.sites[site];
      if ((site == 20) == first_comes_last)
        wait();
      else
        began = true;
      return fail(errc::io, site == 20 ? "twenty" : "later");
    };
    auto found = inspect(50, 4, {}, work);
    REQUIRE_FALSE(found);
    CHECK(found.error().text == "twenty");
  }
}

TEST_CASE("an exception on any thread reaches the caller") {
  auto weights = random_weights(50, false);
  for (std::size_t bad : {0u, 25u, 49u}) {
    site_work work;
    work.read = [&](std::size_t site, site_buffer&) -> result<lora_site*> {
      if (site == bad) throw std::length_error("too much");
      return &weights.sites[site];
    };
    CHECK_THROWS_AS(inspect(50, 3, {}, work), std::length_error);
  }
}

TEST_CASE("an inspection that is stopped says so, and reads no further") {
  auto weights = random_weights(50, false);
  std::stop_source stop;
  std::atomic<std::size_t> read = 0;
  site_work work;
  work.read = [&](std::size_t site, site_buffer&) -> result<lora_site*> {
    if (++read == 10) stop.request_stop();
    return &weights.sites[site];
  };
  auto found = inspect(50, 4, stop.get_token(), work);
  REQUIRE_FALSE(found);
  CHECK(found.error().code == errc::cancelled);
  CHECK(read < 20);
}
