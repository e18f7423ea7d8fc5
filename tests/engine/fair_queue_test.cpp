#include "engine/fair_queue.hpp"

#include "tests/catch.hpp"
#include "tests/engine/fake_device.hpp"

using namespace lorica;
using lorica::testing::version_of;

namespace {

client_key key_of(std::uint8_t number) {
  return {{version_of(number)}};
}

/// A queue with as many clients as asked for, each with one sequence that waits.
struct crowd {
  explicit crowd(std::uint8_t clients, schedule_policy policy = schedule_policy::fair) : queue(policy) {
    for (std::uint8_t number = 1; number <= clients; ++number)
      arrive(number);
  }

  fair_queue::client& arrive(std::uint8_t number) {
    auto& c = queue.enter(key_of(number));
    queue.add(c, {1, ++tickets});
    return c;
  }

  /// The tickets in the order of the walk.
  std::vector<std::uint64_t> order() {
    queue.settle();
    std::vector<std::uint64_t> out;
    for (auto c = queue.first(); c; c = queue.behind(fair_queue::turn_of(*c)))
      out.push_back(c->waiting.begin()->second);
    return out;
  }

  fair_queue queue;
  std::uint64_t tickets = 0;
};

}  // namespace

TEST_CASE("clients are those who ask for the same adapters, whatever weights or order") {
  sequence one, other;
  one.composition = {{version_of(1), 1.0f}, {version_of(2), 0.5f}};
  other.composition = {{version_of(2), 1.0f}, {version_of(1), 1.0f}, {version_of(1), 2.0f}};
  CHECK(client_of(one) == client_of(other));
  CHECK(client_of(sequence{}) != client_of(one));
  CHECK(client_of(sequence{}).adapters.empty());
}

TEST_CASE("who was given least goes first, and equals in order of arrival") {
  crowd c(3);
  CHECK(c.order() == std::vector<std::uint64_t>{1, 2, 3});
  auto first = c.queue.first();
  c.queue.charge(*first, 5);
  CHECK(c.order() == std::vector<std::uint64_t>{2, 3, 1});
  c.queue.charge(*first, -5);
  CHECK(c.order() == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("in order of arrival nobody is charged, and clients do not matter") {
  crowd c(3, schedule_policy::fcfs);
  c.queue.charge(*c.queue.first(), 5);
  c.arrive(1);
  CHECK(c.queue.first()->counter() == 0);
  auto walk = c.order();
  CHECK(walk == std::vector<std::uint64_t>{1, 2, 3});
  auto& one = *c.queue.first();
  c.queue.remove(one, {1, 1});
  CHECK(c.order() == std::vector<std::uint64_t>{2, 3, 4});
}

TEST_CASE("who was preempted goes before every client's turn") {
  crowd c(3);
  auto& last = *c.queue.behind(fair_queue::turn_of(*c.queue.behind(fair_queue::turn_of(*c.queue.first()))));
  c.queue.charge(last, 100);
  c.queue.enter(last.key);
  c.queue.add(last, {0, 9});
  CHECK(c.order().front() == 9);
  c.queue.remove(last, {0, 9});
  CHECK(c.order() == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("a client that was away begins with the least of those that are here, and saves nothing up") {
  crowd c(2);
  auto one = c.queue.first();
  auto two = c.queue.behind(fair_queue::turn_of(*one));
  c.queue.charge(*one, 30);
  c.queue.charge(*two, 50);
  CHECK(c.arrive(3).counter() == 30);
  // Who had more than others keeps it on his return.
  c.queue.remove(*two, {1, 2});
  c.queue.leave(*two);
  CHECK(c.queue.remembered() == 1);
  CHECK(c.arrive(2).counter() == 50);
  CHECK(c.queue.remembered() == 0);
}

TEST_CASE("who has something running and waits again saves nothing up") {
  crowd c(2);
  auto& one = *c.queue.first();
  auto& two = *c.queue.behind(fair_queue::turn_of(one));
  // Both run; one has a small one, the other is given all.
  for (auto [client, ticket] : {std::pair(&one, 1u), std::pair(&two, 2u)}) {
    c.queue.remove(*client, {1, ticket});
    c.queue.started(*client);
  }
  c.queue.charge(one, 1);
  c.queue.charge(two, 80);
  // Nobody waits: it begins with what the last one has that did.
  CHECK(c.queue.floor() == 80);
  c.arrive(1);
  CHECK(one.given == 80);
  c.queue.charge(two, 20);
  c.arrive(2);
  CHECK(c.queue.gap() == 20);
  // Who waits already is not lifted, and everybody else only to the least of those that wait.
  c.arrive(1);
  CHECK(one.given == 80);
  CHECK(c.arrive(3).given == 80);
}

TEST_CASE("when nobody is left the next one begins where the last one was") {
  crowd c(1);
  auto one = c.queue.first();
  c.queue.charge(*one, 7);
  c.queue.remove(*one, {1, 1});
  c.queue.leave(*one);
  CHECK(c.queue.clients() == 0);
  CHECK(c.queue.floor() == 7);
  CHECK(c.arrive(2).counter() == 7);
}

TEST_CASE("clients that are gone are not remembered without end") {
  crowd c(1);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    client_key key;
    key.adapters.resize(1);
    key.adapters[0].digest[4] = static_cast<std::uint8_t>(i);
    key.adapters[0].digest[5] = static_cast<std::uint8_t>(i >> 8);
    key.adapters[0].digest[6] = 1;
    auto& away = c.queue.enter(key);
    c.queue.charge(away, 10.0 + i);
    c.queue.leave(away);
  }
  CHECK(c.queue.remembered() == 4096);
  // Those that had most are; and nobody is any more once the others have had as much.
  c.queue.charge(*c.queue.first(), 50'000);
  auto& last = c.queue.enter(key_of(9));
  c.queue.leave(last);
  CHECK(c.queue.remembered() == 0);
}

TEST_CASE("who waits while nobody of it runs is told by how long") {
  crowd c(2);
  using std::chrono::milliseconds;
  auto one = c.queue.first();
  c.queue.advance_to(milliseconds(10));
  auto& three = c.arrive(3);
  c.queue.advance_to(milliseconds(100));
  CHECK(c.queue.unserved(milliseconds(101), 9).empty());
  CHECK(c.queue.unserved(milliseconds(100), 9).size() == 2);
  CHECK(c.queue.unserved(milliseconds(90), 9).back() == &three);
  CHECK(c.queue.unserved(milliseconds(90), 1).size() == 1);
  c.queue.started(*one);
  CHECK(c.queue.unserved(milliseconds(90), 9).size() == 2);
  c.queue.stopped(*one);  // begins to wait anew
  CHECK(c.queue.unserved(milliseconds(90), 9).size() == 2);
  CHECK(c.queue.unserved(milliseconds(0), 9).size() == 3);
}
