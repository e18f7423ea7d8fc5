#include "gpu/token_history.hpp"

#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("tokens go to the places of their slots on the device, and nowhere else") {
  auto d = open_test_device();
  if (!d) return;
  constexpr std::uint32_t slots = 3, positions = 200;
  auto history = must(gpu::token_history::allocate(d->memory, slots, positions));
  CHECK(d->memory.used() == gpu::arena::charged(gpu::token_history::device_bytes(slots, positions)));
  const std::size_t all = (slots + 1) * positions;
  must(d->stream.fill(history.device(), std::byte{0xff}, all * sizeof(token_id)));
  std::vector<token_id> tokens;
  std::vector<std::uint32_t> at, place;
  std::vector<token_id> expected(all, -1);
  for (std::uint32_t i = 0; i < 300; ++i) {
    tokens.push_back(static_cast<token_id>(1000 + i));
    at.push_back(i < 150 ? 0 : 3);
    place.push_back(i < 150 ? i + 50 : i - 150);
    expected[at[i] * positions + place[i]] = tokens[i];
  }
  must(gpu::remember({d->put(tokens), d->put(at), d->put(place), 300, history.device(), history.stride()},
                     d->stream));
  CHECK(d->get(history.device(), all) == expected);
  must(gpu::remember({}, d->stream));
}

TEST_CASE("the host knows the tokens of a slot and what it sampled last") {
  auto d = open_test_device();
  if (!d) return;
  auto history = must(gpu::token_history::allocate(d->memory, 2, 10));
  CHECK(history.seen(1) == 0);
  CHECK(!history.last_sampled(1));
  history.write(1, 0, std::vector<token_id>{4, 5, 6});
  history.sampled(1, 7);
  CHECK(history.last_sampled(1) == 7);
  history.write(1, 3, std::vector<token_id>{7});
  CHECK(std::ranges::equal(history.tokens(1), std::vector<token_id>{4, 5, 6, 7}));
  CHECK(history.last_sampled(1) == 7);
  history.write(1, 2, std::vector<token_id>{9});
  CHECK(std::ranges::equal(history.tokens(1), std::vector<token_id>{4, 5, 9}));
  history.sampled(1, no_token);
  CHECK(!history.last_sampled(1));
  history.write(1, 0, std::vector<token_id>{1});
  CHECK(!history.last_sampled(1));
  CHECK(history.seen(0) == 0);
}
