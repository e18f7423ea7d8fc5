#include "gpu/known_tokens.hpp"

#include <array>

#include "tests/gpu/test_device.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr std::uint32_t slots = 4, positions = 10;

/// Sequences in slots 1, 3, 0 and 2; of the second and of the last nothing is known.
batch known_step() {
  batch b;
  for (token_id t = 100; t < 117; ++t)
    b.known.push_back(t);
  const auto add = [&b](std::uint32_t slot, std::uint32_t context, std::uint32_t first, std::uint32_t known) {
    sequence_rows s;
    s.slot = slot;
    s.context = context;
    s.first_known = first;
    s.known = known;
    b.sequences.push_back(s);
  };
  add(1, 9, 0, 9);
  add(3, 4, 0, 0);
  add(0, 10, 9, 8);  // two tokens were rows of the slot itself
  add(2, 0, 0, 0);
  return b;
}

}  // namespace

TEST_CASE("known tokens get to their slots in one turn, or in as many as the room asks for") {
  auto d = open_test_device();
  if (!d) return;
  const auto [room, expected_turns] =
      GENERATE(table<std::uint32_t, int>({{100, 1}, {17, 1}, {16, 2}, {5, 4}, {1, 17}}));
  INFO("room for " << room << " tokens");
  gpu::step_layout layout;
  layout.add<std::uint32_t>(3);
  layout.add_words(2);
  gpu::known_tokens::lay_out(layout, room);
  auto buffer = must(gpu::step_buffer::allocate(d->memory, layout));
  auto history = must(gpu::token_history::allocate(d->memory, slots, positions));
  const auto all = (slots + 1) * positions;
  must(d->stream.fill(history.device(), std::byte{0xff}, all * sizeof(token_id)));
  gpu::known_tokens known(buffer);
  const auto step = known_step();
  REQUIRE(buffer.append(std::array{7u, 8u}) == 0u);
  known.begin(step);
  int turns = 0;
  do {
    known.fill();
    must(buffer.upload(d->stream));
    must(known.remember(history, d->stream));
    must(d->stream.synchronise());
    ++turns;
  } while (!known.done());
  CHECK(turns == expected_turns);
  CHECK(buffer.host_words(0)[0] == 7);
  CHECK(buffer.host_words(0)[1] == 8);
  std::vector<token_id> expected(all, -1);
  for (std::uint32_t i = 0; i < 9; ++i)
    expected[1 * positions + i] = 100 + static_cast<token_id>(i);
  for (std::uint32_t i = 2; i < 10; ++i)
    expected[i] = 107 + static_cast<token_id>(i);
  CHECK(d->get(history.device(), all) == expected);
}

TEST_CASE("a step without known tokens is told in one turn of no words") {
  auto d = open_test_device();
  if (!d) return;
  gpu::step_layout layout;
  gpu::known_tokens::lay_out(layout, 4);
  auto buffer = must(gpu::step_buffer::allocate(d->memory, layout));
  auto step = known_step();
  for (auto& s : step.sequences)
    s.known = 0;
  gpu::known_tokens known(buffer);
  known.begin(step);
  CHECK(known.done());
  known.fill();
  CHECK(known.done());
  CHECK(buffer.used() == 0);
}
