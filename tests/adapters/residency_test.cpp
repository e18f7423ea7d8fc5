#include "adapters/residency.hpp"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <limits>
#include <map>
#include <random>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

adapter_version version(std::uint32_t n) {
  adapter_version v;
  v.digest[0] = static_cast<std::uint8_t>(n);
  v.digest[1] = static_cast<std::uint8_t>(n >> 8);
  return v;
}

using kind = load_start::kind;

// Loads and says what was evicted.
std::vector<adapter_version> load(residency& tier, std::uint32_t n, std::uint64_t bytes, double cost,
                                  std::uint64_t now) {
  auto begun = tier.begin_load(version(n), bytes, cost, now);
  REQUIRE(begun);
  REQUIRE(begun->what == kind::started);
  auto done = tier.finish_load(version(n), bytes, now);
  REQUIRE(done);
  REQUIRE(done->empty());
  return begun->evicted;
}

void use(residency& tier, std::uint32_t n, int times, std::uint64_t now) {
  for (int i = 0; i < times; ++i) {
    REQUIRE(tier.lease(version(n), now));
    REQUIRE_FALSE(tier.release(version(n), now));
  }
}

}  // namespace

TEST_CASE("one load runs per version, and others join it") {
  residency tier({.budget_bytes = 100});
  CHECK(tier.begin_load(version(1), 40, 1, 1)->what == kind::started);
  CHECK(tier.begin_load(version(1), 40, 1, 2)->what == kind::joined);
  CHECK(tier.totals().loading_bytes == 40);
  CHECK_FALSE(tier.resident(version(1)));
  CHECK_FALSE(tier.lease(version(1), 2));
  REQUIRE(tier.finish_load(version(1), 40, 3));
  CHECK(tier.begin_load(version(1), 40, 1, 4)->what == kind::resident);
  CHECK(tier.finish_load(version(1), 40, 5).error().code == errc::internal);
  CHECK(tier.totals().resident_bytes == 40);
  CHECK(tier.totals().loading_bytes == 0);
}

TEST_CASE("a failed load gives its reservation back, and the next one starts anew") {
  residency tier({.budget_bytes = 100});
  REQUIRE(tier.begin_load(version(1), 100, 1, 1));
  CHECK(tier.begin_load(version(2), 1, 1, 1).error().reason == "memory_in_use");
  CHECK(tier.fail_load(version(1)));
  CHECK_FALSE(tier.fail_load(version(1)));
  CHECK(tier.totals().loading_bytes == 0);
  CHECK(tier.begin_load(version(1), 100, 1, 2)->what == kind::started);
}

TEST_CASE("one version more than there are places takes that of the one which goes first") {
  constexpr std::uint32_t places = 2048;
  residency tier({.budget_bytes = 1 << 30, .policy = eviction_policy::lru, .most_versions = places});
  for (std::uint32_t n = 0; n < places; ++n)
    CHECK(load(tier, n, 1, 1, n).empty());
  CHECK(load(tier, places, 1, 1, places) == std::vector{version(0)});
  CHECK(tier.totals().versions == places);
  for (std::uint32_t n = 1; n <= places; ++n)
    REQUIRE(tier.lease(version(n), places + n));
  auto refused = tier.begin_load(version(0), 1, 1, 9999);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == "memory_in_use");
  CHECK_THAT(refused.error().text, Catch::StartsWith("all 2048 places for adapters are held"));
  REQUIRE_FALSE(tier.release(version(7), 10'000));
  CHECK(load(tier, 0, 1, 1, 10'001) == std::vector{version(7)});
}

TEST_CASE("who is taken out first is as for room: whom no request wants, and nobody in use") {
  residency tier({.budget_bytes = 100, .policy = eviction_policy::lru});
  load(tier, 1, 1, 1, 1);
  load(tier, 2, 1, 1, 2);
  load(tier, 3, 1, 1, 3);
  tier.want(version(1));
  REQUIRE(tier.lease(version(3), 4));
  CHECK(tier.evict_first(room_from::unwanted) == version(2));
  CHECK(tier.evict_first(room_from::unwanted) == std::nullopt);
  CHECK(tier.evict_first() == version(1));
  CHECK(tier.evict_first() == std::nullopt);
  CHECK(tier.totals().evictions == 2);
}

TEST_CASE("loads that run hold places too") {
  residency tier({.budget_bytes = 100, .most_versions = 2});
  REQUIRE(tier.begin_load(version(1), 1, 1, 1));
  load(tier, 2, 1, 1, 2);
  CHECK(tier.begin_load(version(3), 1, 1, 3)->evicted == std::vector{version(2)});
  CHECK_FALSE(tier.begin_load(version(4), 1, 1, 4));
  CHECK(tier.fail_load(version(1)));
  CHECK(tier.begin_load(version(4), 1, 1, 5)->evicted.empty());
}

TEST_CASE("leased and pinned versions are never evicted, and the refusal names the reason") {
  residency tier({.budget_bytes = 100});
  load(tier, 1, 50, 1, 1);
  load(tier, 2, 50, 1, 2);
  REQUIRE(tier.lease(version(1), 3));
  REQUIRE(tier.pin(version(2)));
  auto refused = tier.begin_load(version(3), 10, 1, 4);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::out_of_memory);
  CHECK(refused.error().reason == "memory_in_use");
  CHECK(tier.begin_load(version(3), 101, 1, 4).error().reason == "too_large");
  CHECK(tier.begin_load(version(3), ~std::uint64_t{0}, 1, 4).error().reason == "too_large");
  REQUIRE(tier.unpin(version(2)));
  CHECK_FALSE(tier.unpin(version(2)));
  CHECK(load(tier, 3, 10, 1, 5) == std::vector{version(2)});
  CHECK(tier.resident(version(1)));
}

TEST_CASE("nothing is evicted when evicting everything would not do") {
  residency tier({.budget_bytes = 100});
  load(tier, 1, 50, 1, 1);
  load(tier, 2, 50, 1, 2);
  REQUIRE(tier.lease(version(2), 3));
  REQUIRE_FALSE(tier.begin_load(version(3), 60, 1, 4));
  CHECK(tier.resident(version(1)));
  CHECK(tier.totals().evictions == 0);
}

TEST_CASE("gdsf keeps what is used often, costs much to load again, and is small") {
  SECTION("often used") {
    residency tier({.budget_bytes = 100});
    load(tier, 1, 50, 1, 1);
    load(tier, 2, 50, 1, 2);
    use(tier, 1, 5, 3);
    use(tier, 2, 1, 4);
    CHECK(load(tier, 3, 50, 1, 5) == std::vector{version(2)});
  }
  SECTION("costly") {
    residency tier({.budget_bytes = 100});
    load(tier, 1, 50, 10, 1);
    load(tier, 2, 50, 1, 2);
    CHECK(load(tier, 3, 50, 1, 3) == std::vector{version(2)});
  }
  SECTION("small") {
    residency tier({.budget_bytes = 100});
    load(tier, 1, 10, 1, 1);
    load(tier, 2, 90, 1, 2);
    CHECK(load(tier, 3, 50, 1, 3) == std::vector{version(2)});
  }
  SECTION("old fame fades as the clock rises") {
    residency tier({.budget_bytes = 2});
    load(tier, 1, 1, 1, 1);
    use(tier, 1, 9, 1);
    std::uint32_t next = 2;
    for (; tier.resident(version(1)) && next < 100; ++next)
      load(tier, next, 1, 1, next);
    // Ten uses are worth 10; the clock rises by one with each that leaves, so the twelfth comes in its place.
    CHECK(next == 13);
  }
}

TEST_CASE("lru looks at the last use only") {
  residency tier({.budget_bytes = 100, .policy = eviction_policy::lru});
  load(tier, 1, 50, 100, 1);
  load(tier, 2, 50, 1, 2);
  use(tier, 1, 9, 3);
  use(tier, 2, 1, 4);
  CHECK(tier.victims(1) == std::vector{version(1)});
  CHECK(load(tier, 3, 50, 1, 5) == std::vector{version(1)});
}

TEST_CASE("a dropped version leaves with its last lease, whatever pins it") {
  residency tier({.budget_bytes = 100});
  load(tier, 1, 50, 1, 1);
  REQUIRE(tier.pin(version(1)));
  REQUIRE(tier.lease(version(1), 2));
  REQUIRE(tier.lease(version(1), 2));
  CHECK(tier.drop(version(1)) == drop_outcome::deferred);
  CHECK(tier.lease(version(1), 3));  // a request that was queued before the drop may still run
  CHECK_FALSE(tier.release(version(1), 4));
  CHECK_FALSE(tier.release(version(1), 4));
  CHECK(tier.release(version(1), 4));
  CHECK_FALSE(tier.resident(version(1)));
  CHECK(tier.totals().resident_bytes == 0);
  CHECK(tier.drop(version(1)) == drop_outcome::absent);
  load(tier, 1, 50, 1, 5);
  CHECK(tier.drop(version(1)) == drop_outcome::gone);
}

TEST_CASE("a version leaves when asked for, unless somebody needs it") {
  residency tier({.budget_bytes = 100});
  CHECK(tier.evict(version(1)));  // it is not there
  load(tier, 1, 40, 1, 1);
  REQUIRE(tier.lease(version(1), 2));
  CHECK_FALSE(tier.evict(version(1)));
  REQUIRE_FALSE(tier.release(version(1), 3));
  REQUIRE(tier.pin(version(1)));
  CHECK_FALSE(tier.evict(version(1)));
  REQUIRE(tier.unpin(version(1)));
  CHECK(tier.evict(version(1)));
  CHECK_FALSE(tier.resident(version(1)));
  CHECK(tier.totals().resident_bytes == 0);
  CHECK(tier.totals().evictable_bytes == 0);
  CHECK(tier.totals().evictions == 0);
  REQUIRE(tier.begin_load(version(1), 40, 1, 4));
  CHECK_FALSE(tier.evict(version(1)));  // loading
}

TEST_CASE("loading again lifts a drop") {
  residency tier({.budget_bytes = 100});
  load(tier, 1, 50, 1, 1);
  REQUIRE(tier.lease(version(1), 2));
  CHECK(tier.drop(version(1)) == drop_outcome::deferred);
  CHECK(tier.begin_load(version(1), 50, 1, 3)->what == kind::resident);
  CHECK_FALSE(tier.release(version(1), 4));
  CHECK(tier.resident(version(1)));

  REQUIRE(tier.begin_load(version(2), 50, 1, 5));
  CHECK(tier.drop(version(2)) == drop_outcome::deferred);
  CHECK(tier.finish_load(version(2), 50, 6).error().code == errc::cancelled);
  CHECK(tier.totals().loading_bytes == 0);
  REQUIRE(tier.begin_load(version(2), 50, 1, 7));
  CHECK(tier.drop(version(2)) == drop_outcome::deferred);
  CHECK(tier.begin_load(version(2), 50, 1, 8)->what == kind::joined);
  CHECK(tier.finish_load(version(2), 50, 9));
}

TEST_CASE("a load that turns out larger evicts more or is refused") {
  residency tier({.budget_bytes = 100});
  load(tier, 1, 50, 1, 1);
  REQUIRE(tier.begin_load(version(2), 40, 1, 2));
  auto done = tier.finish_load(version(2), 60, 3);
  REQUIRE(done);
  CHECK(*done == std::vector{version(1)});
  CHECK(tier.bytes(version(2)) == 60);
  REQUIRE(tier.lease(version(2), 4));
  REQUIRE(tier.begin_load(version(3), 40, 1, 5));
  CHECK(tier.finish_load(version(3), 41, 6).error().reason == "memory_in_use");
  CHECK(tier.totals().loading_bytes == 0);
  CHECK_FALSE(tier.loading(version(3)));
}

TEST_CASE("a cost that is no number does not spoil the order") {
  residency tier({.budget_bytes = 100});
  load(tier, 1, 50, std::nan(""), 1);
  load(tier, 2, 50, 1, 2);
  CHECK(load(tier, 3, 50, 1, 3) == std::vector{version(1)});
  CHECK(load(tier, 4, 50, HUGE_VAL, 4).size() == 1);
  CHECK(load(tier, 5, 50, 1, 5).size() == 1);
}

namespace {

// What the contract says, kept the slow and obvious way.
struct modelled {
  std::uint64_t bytes = 0, leases = 0, pins = 0;
  bool loading = true, dropped = false;
};

struct plain_model {
  std::map<adapter_version, modelled> items;
  std::uint64_t leases_in = 0, leases_out = 0, evictions = 0;

  std::uint64_t sum(bool loading) const {
    std::uint64_t out = 0;
    for (auto& [v, m] : items)
      out += m.loading == loading ? m.bytes : 0;
    return out;
  }
  std::uint64_t evictable() const {
    std::uint64_t out = 0;
    for (auto& [v, m] : items)
      out += !m.loading && !m.leases && !m.pins ? m.bytes : 0;
    return out;
  }
  bool fits(std::uint64_t bytes, std::uint64_t budget) const {
    return sum(false) + sum(true) + bytes <= budget + evictable();
  }
  bool any_idle() const {
    return std::ranges::any_of(
        items, [](auto& i) { return !i.second.loading && !i.second.leases && !i.second.pins; });
  }
  bool has_place(std::uint64_t most) const {
    std::uint64_t held = 0;
    for (auto& [v, m] : items)
      held += m.loading || m.leases || m.pins ? 1 : 0;
    return held < most;
  }
  // Takes out what the tier says it evicted; each must have been free to go.
  void evict(const std::vector<adapter_version>& evicted) {
    for (auto& v : evicted) {
      auto found = items.find(v);
      REQUIRE(found != items.end());
      REQUIRE((!found->second.loading && found->second.leases == 0 && found->second.pins == 0));
      items.erase(found);
      ++evictions;
    }
  }
};

void random_walk(std::uint64_t seed, eviction_policy policy, int operations, std::uint64_t most) {
  std::mt19937_64 random(seed);
  constexpr std::uint64_t budget = 1000;
  residency tier({.budget_bytes = budget, .policy = policy, .most_versions = most});
  plain_model model;
  int refused = 0;
  auto below = [&](std::uint64_t n) { return random() % n; };
  for (int step = 0; step < operations; ++step) {
    auto now = static_cast<std::uint64_t>(step);
    auto v = version(static_cast<std::uint32_t>(below(60)));
    auto known = model.items.find(v);
    bool is_loading = known != model.items.end() && known->second.loading;
    bool is_resident = known != model.items.end() && !known->second.loading;
    switch (below(8)) {
      case 0:
      case 1: {
        auto bytes = below(20) == 0 ? 900 + below(200) : below(150);
        bool fits = model.fits(bytes, budget) && model.has_place(most);
        auto predicted = tier.victims(bytes);
        auto begun = tier.begin_load(v, bytes, 0.1 * static_cast<double>(below(50)), now);
        if (is_loading || is_resident) {
          REQUIRE(begun);
          REQUIRE(begun->what == (is_loading ? kind::joined : kind::resident));
          known->second.dropped = false;
        } else if (!fits) {
          REQUIRE_FALSE(begun);
          REQUIRE(begun.error().reason == (bytes > budget ? "too_large" : "memory_in_use"));
          ++refused;
        } else {
          REQUIRE(begun);
          REQUIRE(begun->what == kind::started);
          REQUIRE(predicted == begun->evicted);
          model.evict(begun->evicted);
          model.items[v] = {.bytes = bytes};
        }
        break;
      }
      case 2: {
        auto bytes = is_loading ? known->second.bytes + below(3) * below(30) : 1;
        bool fits =
            is_loading && (bytes <= known->second.bytes || model.fits(bytes - known->second.bytes, budget));
        auto done = tier.finish_load(v, bytes, now);
        if (!is_loading || known->second.dropped || !fits) {
          REQUIRE_FALSE(done);
          if (is_loading) model.items.erase(known);
        } else {
          REQUIRE(done);
          known->second.bytes = bytes;
          known->second.loading = false;
          // Its own bytes count as resident only after the others have left.
          model.evict(*done);
        }
        break;
      }
      case 3:
        if (below(4) != 0) break;
        REQUIRE(tier.fail_load(v) == is_loading);
        if (is_loading) model.items.erase(known);
        break;
      case 4:
        REQUIRE(tier.lease(v, now) == is_resident);
        if (is_resident) ++known->second.leases, ++model.leases_in;
        break;
      case 5: {
        bool held = is_resident && known->second.leases > 0;
        bool leaves = held && known->second.leases == 1 && known->second.dropped;
        REQUIRE(tier.release(v, now) == leaves);
        if (held) --known->second.leases, ++model.leases_out;
        if (leaves) model.items.erase(known);
        break;
      }
      case 6: {
        bool here = is_loading || is_resident;
        if (below(2) == 0) {
          REQUIRE(tier.pin(v) == here);
          if (here) ++known->second.pins;
        } else {
          bool pinned = here && known->second.pins > 0;
          REQUIRE(tier.unpin(v) == pinned);
          if (pinned) --known->second.pins;
        }
        break;
      }
      default: {
        auto chance = below(8);
        if (chance == 3) {
          auto gone = tier.evict_first();
          REQUIRE(gone.has_value() == model.any_idle());
          if (gone) model.evict({*gone});
        }
        if (chance == 2) {
          bool busy = is_loading || (is_resident && (known->second.leases > 0 || known->second.pins > 0));
          REQUIRE(tier.evict(v) == !busy);
          if (is_resident && !busy) model.items.erase(known);
        }
        if (chance > 1) break;
        auto outcome = tier.drop(v);
        if (!is_loading && !is_resident) {
          REQUIRE(outcome == drop_outcome::absent);
        } else if (is_loading || known->second.leases > 0) {
          REQUIRE(outcome == drop_outcome::deferred);
          known->second.dropped = true;
        } else {
          REQUIRE(outcome == drop_outcome::gone);
          model.items.erase(known);
        }
      }
    }
    auto totals = tier.totals();
    REQUIRE(totals.resident_bytes == model.sum(false));
    REQUIRE(totals.loading_bytes == model.sum(true));
    REQUIRE(totals.evictable_bytes == model.evictable());
    REQUIRE(totals.resident_bytes + totals.loading_bytes <= budget);
    REQUIRE(totals.versions + totals.loads == model.items.size());
    REQUIRE(model.items.size() <= most);
    REQUIRE(totals.leases == model.leases_in - model.leases_out);
    REQUIRE(totals.evictions == model.evictions);
  }
  for (auto& [v, m] : model.items) {
    REQUIRE(tier.resident(v) == !m.loading);
    REQUIRE(tier.leases(v) == m.leases);
  }
  // Give everything back: what came in goes out.
  auto left = model.items;
  for (auto& [v, m] : left) {
    if (m.loading) REQUIRE(tier.fail_load(v));
    for (std::uint64_t i = 0; i < m.leases; ++i)
      tier.release(v, 0);
    tier.drop(v);
  }
  auto end = tier.totals();
  REQUIRE(end.resident_bytes + end.loading_bytes + end.evictable_bytes + end.leases + end.versions == 0);
  REQUIRE(refused > operations / 1000);
  REQUIRE(model.evictions > static_cast<std::uint64_t>(operations) / 1000);
}

}  // namespace

TEST_CASE("the books agree with a plain model over random histories") {
  for (std::uint64_t seed : {1, 2, 3, 4}) {
    for (auto policy : {eviction_policy::gdsf, eviction_policy::lru}) {
      auto most = seed % 2 == 0 ? 12 : std::numeric_limits<std::uint64_t>::max();
      std::cout << "residency walk: seed " << seed << (policy == eviction_policy::lru ? " lru" : " gdsf")
                << ", at most " << most << "\n";
      random_walk(seed, policy, 40'000, most);
    }
  }
}
