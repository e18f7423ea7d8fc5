#include "adapters/rescan_policy.hpp"

#include <algorithm>
#include <random>

#include "tests/catch.hpp"

using namespace lorica;
using namespace std::chrono_literals;

namespace {

rescan_policy::time_point at(std::chrono::nanoseconds since_start) {
  return rescan_policy::time_point(1h) + since_start;
}

}  // namespace

TEST_CASE("the first name that is missed asks for a scan, others wait for it") {
  rescan_policy policy(5s, 10);
  CHECK(policy.missed("a", at(0s)) == missed_name::rescan);
  CHECK(policy.missed("b", at(0s)) == missed_name::wait);
  CHECK(policy.missed("a", at(100s)) == missed_name::wait);
  CHECK(policy.remembered() == 0);
}

TEST_CASE("between two scans a name is sought elsewhere once") {
  rescan_policy policy(5s, 10);
  policy.begin(at(0s));
  policy.finish(at(10ms));
  CHECK(policy.missed("a", at(1s)) == missed_name::elsewhere);
  CHECK(policy.missed("a", at(2s)) == missed_name::unknown);
  CHECK(policy.missed("b", at(4999ms)) == missed_name::elsewhere);
  CHECK(policy.remembered() == 2);
  // A remembered name asks for the next scan too: its adapter may have come.
  CHECK(policy.missed("a", at(5s)) == missed_name::rescan);
  policy.finish(at(5s));
  CHECK(policy.remembered() == 0);
  CHECK(policy.missed("a", at(6s)) == missed_name::elsewhere);
}

TEST_CASE("a scan that takes long is repeated less often") {
  rescan_policy policy(5s, 10);
  policy.begin(at(0s));
  policy.finish(at(3s));
  CHECK(policy.missed("a", at(29999ms)) == missed_name::elsewhere);
  CHECK(policy.missed("a", at(30s)) == missed_name::rescan);
}

TEST_CASE("a flood of unknown names costs a scan per interval and a bounded number of looks elsewhere") {
  rescan_policy policy(5s, 100);
  std::mt19937 random(1);
  int scans = 0;
  int looks = 0;
  std::size_t most = 0;
  bool running = false;
  for (int i = 0; i < 1'000'000; ++i) {
    const auto now = at(i * 60us);
    const auto what = policy.missed(std::to_string(random()), now);
    scans += what == missed_name::rescan;
    looks += what == missed_name::elsewhere;
    most = std::max(most, policy.remembered());
    running |= what == missed_name::rescan;
    if (!running || random() % 1000 != 0) continue;
    policy.finish(now);
    running = false;
  }
  // A minute: no two scans within five seconds.
  CHECK(most == 100);
  CHECK(scans >= 10);
  CHECK(scans <= 12);
  CHECK(looks >= 1'000);
  CHECK(looks <= 1'200);
}
