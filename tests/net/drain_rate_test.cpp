#include "net/drain_rate.hpp"

#include "net/admission.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace std::chrono_literals;

namespace {

const drain_rate::time_point start{1'000'000s};

}  // namespace

TEST_CASE("the only refused client comes back when the next place should be free") {
  drain_rate rate;
  for (int i = 0; i <= 40; ++i)
    rate.freed(start + i * 2s);  // half a place a second
  rate.refused(start + 80s);
  auto wait = rate.wait(start + 80s).count();
  CHECK((wait >= 1 && wait <= 3));
}

TEST_CASE("many refused clients wait as long as it takes to serve them") {
  drain_rate rate;
  for (int i = 0; i <= 400; ++i)
    rate.freed(start + i * 100ms);  // ten places a second
  for (int i = 0; i < 200; ++i)
    rate.refused(start + 40s);
  auto wait = rate.wait(start + 40s).count();
  CHECK((wait >= 17 && wait <= 24));
  // Those who were refused long ago have come back or given up.
  for (int i = 0; i <= 600; ++i)
    rate.freed(start + 40s + i * 100ms);
  CHECK(rate.wait(start + 100s) == 1s);
}

TEST_CASE("the wait is at least a second and at most a minute, also when nothing is known") {
  drain_rate fresh;
  CHECK(fresh.wait(start) == 5s);
  drain_rate fast;
  for (int i = 0; i < 10'000; ++i)
    fast.freed(start + i * 1ms);
  CHECK(fast.wait(start + 10s) == 1s);
  drain_rate stuck;
  stuck.freed(start);
  CHECK(stuck.wait(start + 300s) == 60s);
  drain_rate never;
  never.refused(start);
  CHECK(never.wait(start + 20s) == 20s);
  CHECK(never.wait(start + 500s) == 60s);
}

TEST_CASE("times that go back do no harm") {
  drain_rate rate;
  rate.freed(start + 10s);
  rate.freed(start);
  rate.refused(start + 5s);
  auto wait = rate.wait(start + 10s);
  CHECK((wait >= 1s && wait <= 60s));
}

TEST_CASE("admission tells refused clients by the places that came free") {
  auto now = start;
  admission gate(1, 100, [&] { return now; });
  for (int i = 0; i < 30; ++i) {
    auto place = gate.admit(1);
    REQUIRE(place);
    CHECK(gate.full());
    now += 4s;
  }
  CHECK_FALSE(gate.full());
  auto held = gate.admit(1);
  CHECK_FALSE(gate.admit(1));
  auto wait = gate.retry_after();
  CHECK((wait >= 3s && wait <= 6s));
}
