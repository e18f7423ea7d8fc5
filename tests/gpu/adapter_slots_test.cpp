#include "gpu/adapter_slots.hpp"

#include "gpu/adapter_packer.hpp"
#include "tests/gpu/adapter_weights.hpp"

#ifdef LORICA_EMULATED_DEVICE
#include "tests/emulated_device/runtime.hpp"
#endif

using namespace lorica;
using namespace lorica::testing;
using gpu::adapter_arrival;
using gpu::bfloat;

namespace {

constexpr std::uint64_t test_page = 4096;

using adapter = std::shared_ptr<const gpu::gpu_packed_adapter>;
using enum projection;

/// Modules in both layers, whose numbers differ with `seed`.
adapter some_adapter(std::uint32_t rank, std::uint32_t seed, bool with_head = false) {
  const auto m = small_model();
  gpu::gpu_adapter_packer packer(exact_weights(m));
  adapter_weights w;
  w.sites = {site_of(m, 0, q, rank), site_of(m, 1, q, rank), site_of(m, 1, down, rank)};
  for (auto& s : w.sites)
    s.a = exact_numbers(s.a.size(), ++seed * 11);
  if (with_head) w.copies = {{head, m.vocab, m.hidden, exact_numbers(std::size_t{m.vocab} * m.hidden, seed)}};
  return std::dynamic_pointer_cast<const gpu::gpu_packed_adapter>(must(packer.pack(w, {})));
}

gpu::adapter_slots slots_for(test_device& d, std::uint32_t slots, std::uint64_t bytes) {
  return must(gpu::adapter_slots::create(
      d.memory, {.layers = 2, .slots = slots, .bytes = bytes, .slab_bytes = test_page}));
}

/// A group as the table on the device has it.
gpu::adapter_group group_on(test_device& d, const gpu::adapter_slots& slots, std::uint32_t slot,
                            std::uint32_t layer, lora_group which) {
  const auto table = slots.table();
  const auto* at = table.groups + std::size_t{slot} * table.groups_per_slot;
  return d.get(at + gpu::group_index(layer, which, 2), 1)[0];
}

std::vector<bfloat> a_of(const gpu::adapter_group& g) {
  return {g.a, g.a + std::size_t{g.ranks} * g.a_stride};
}

const gpu::adapter_group& group_in(const adapter& a, std::uint32_t layer, lora_group which) {
  return a->groups()[gpu::group_index(layer, which, 2)];
}

}  // namespace

TEST_CASE("an attached adapter is in the table, and arrives layer by layer for those who wait") {
  auto d = open_test_device();
  if (!d) return;
  auto slots = slots_for(*d, 2, 40 * test_page);
  const auto one = some_adapter(5, 1), two = some_adapter(3, 2, true);
  for (auto& a : {one, two}) {
    must(slots.attach(a, d->stream));
    CHECK(slots.attach(a, d->stream).error().code == errc::internal);
    const std::vector<std::uint32_t> slot{slots.slot_of(*a).value()};
    for (std::uint32_t layer : {0, 1}) {
      must(slots.wait_for(d->stream, slot, adapter_arrival::layer, layer));
      const auto g = group_on(*d, slots, slot[0], layer, lora_group::qkv);
      auto& expected = group_in(a, layer, lora_group::qkv);
      REQUIRE(g.ranks == expected.ranks);
      REQUIRE(g.part[0].scaling == 0.5f);
      CHECK(same_bits(d->get(g.a, std::size_t{g.ranks} * g.a_stride), a_of(expected)));
      const std::size_t b = std::size_t{g.part[0].rank} * g.part[0].b_stride;
      CHECK(same_bits(d->get(g.part[0].b, b), {expected.part[0].b, expected.part[0].b + b}));
      CHECK(g.part[1].b == nullptr);
    }
  }
  CHECK(slots.head_matrix(slots.slot_of(*one).value()) == nullptr);
  const std::vector<std::uint32_t> slot{slots.slot_of(*two).value()};
  must(slots.wait_for(d->stream, slot, adapter_arrival::head));
  const auto* own = two->head_matrix().weights;
  CHECK(same_bits(d->get(slots.head_matrix(slot[0]), 99 * 41), {own, own + 99 * 41}));
}

#ifdef LORICA_EMULATED_DEVICE
TEST_CASE("a layer that nobody waited for is not there yet") {
  auto d = open_test_device();
  auto slots = slots_for(*d, 1, 40 * test_page);
  const auto a = some_adapter(5, 1);
  auto row = must(gpu::pinned_buffer::allocate(gpu::groups_of(2) * sizeof(gpu::adapter_group)));
  auto numbers = must(gpu::pinned_buffer::allocate(5 * 48 * 2 * sizeof(bfloat)));
  must(slots.attach(a, d->stream));
  const std::vector<std::uint32_t> all{slots.slot_of(*a).value()};
  must(slots.wait_for(d->stream, all, adapter_arrival::layer, 0));
  const auto table = slots.table();
  must(d->stream.to_host(row.data(), table.groups + all[0] * table.groups_per_slot, row.size()));
  must(d->stream.synchronise());
  const auto groups = row.as<gpu::adapter_group>();
  const auto count = std::size_t{5} * 48;
  const auto to = numbers.as<bfloat>();
  for (std::uint32_t layer : {0, 1})
    must(d->stream.to_host(to.data() + layer * count, groups[gpu::group_index(layer, lora_group::qkv, 2)].a,
                           count * sizeof(bfloat)));
  must(d->stream.synchronise());
  const std::vector<bfloat> read(to.begin(), to.end());
  const auto middle = read.begin() + static_cast<std::ptrdiff_t>(count);
  CHECK(same_bits({read.begin(), middle}, a_of(group_in(a, 0, lora_group::qkv))));
  CHECK(!same_bits({middle, read.end()}, a_of(group_in(a, 1, lora_group::qkv))));
  CHECK(must(slots.bytes_to_come(all[0])) == a->pieces()[2].bytes);
}

TEST_CASE("an adapter tells when it will be there, behind those whose copies began before") {
  auto d = open_test_device();
  auto slots = slots_for(*d, 4, 80 * test_page);
  const auto first = some_adapter(5, 1), second = some_adapter(5, 2), third = some_adapter(5, 3);
  CHECK(first->seconds_to_come() == 0);
  emulated_device::script_times({1e7f});  // 10,000 s
  must(slots.attach(first, d->stream));
  const auto arrive = [&](const adapter& a) {
    while (!must(slots.arrived(slots.slot_of(*a).value())))
      continue;
  };
  arrive(first);
  CHECK(first->seconds_to_come() == 0);
  must(slots.attach(second, d->stream));
  CHECK(second->seconds_to_come() == Approx(10'000).epsilon(0.01));
  must(slots.attach(third, d->stream));
  CHECK(third->seconds_to_come() == Approx(20'000).epsilon(0.01));
  slots.detach(*second);
  arrive(third);
  CHECK(third->seconds_to_come() == 0);
  slots.detach(*first);
  must(slots.attach(first, d->stream));
  CHECK(first->seconds_to_come() > 0);
}
#endif

TEST_CASE("host memory is kept until an adapter has arrived, also when it leaves before") {
  auto d = open_test_device();
  if (!d) return;
  auto slots = slots_for(*d, 2, 40 * test_page);
  auto stays = some_adapter(5, 1), leaves = some_adapter(3, 2);
  const std::weak_ptr<const gpu::gpu_packed_adapter> first = stays, second = leaves;
  must(slots.attach(stays, d->stream));
  must(slots.attach(leaves, d->stream));
  const auto slot = slots.slot_of(*stays).value();
  slots.detach(*leaves);
  leaves.reset();
  CHECK(!second.expired());
  while (!must(slots.arrived(slot)))
    continue;
  CHECK(must(slots.bytes_to_come(slot)) == 0);
  CHECK(stays.use_count() == 1);
  const auto third = some_adapter(2, 3);
  for (int i = 0; i < 100 && !second.expired(); ++i) {
    must(slots.attach(third, d->stream));
    slots.detach(*third);
  }
  CHECK(second.expired());
}

TEST_CASE("memory and the row of an adapter that left are used again behind the last step that reads them") {
  auto d = open_test_device();
  if (!d) return;
  auto slots = slots_for(*d, 2, 12 * test_page);
  const auto old = some_adapter(64, 1), fresh = some_adapter(64, 2);
  must(slots.attach(old, d->stream));
  const auto slot = slots.slot_of(*old).value();
  while (!must(slots.arrived(slot)))
    continue;
  const auto g = group_on(*d, slots, slot, 0, lora_group::qkv);
  const auto count = std::size_t{g.ranks} * g.a_stride;
  auto* read = d->room<bfloat>(count);
  auto* row = d->room<gpu::adapter_group>(1);
  must(d->stream.copy(read, g.a, count * sizeof(bfloat)));
  const auto table = slots.table();
  must(d->stream.copy(row, table.groups + std::size_t{slot} * table.groups_per_slot, sizeof *row));
  must(slots.step_ended(d->stream));
  CHECK(slots.attach(fresh, d->stream).error().code == errc::out_of_memory);
  slots.detach(*old);
  CHECK(!slots.slot_of(*old));
  must(slots.attach(fresh, d->stream));
  const auto next = slots.slot_of(*fresh).value();
  while (!must(slots.arrived(next)))
    continue;
  CHECK(same_bits(d->get(read, count), a_of(group_in(old, 0, lora_group::qkv))));
  CHECK(d->get(row, 1)[0].a == g.a);
  const auto now = group_on(*d, slots, next, 0, lora_group::qkv);
  CHECK(same_bits(d->get(now.a, count), a_of(group_in(fresh, 0, lora_group::qkv))));
}

TEST_CASE("adapters come and go many times within the memory of two, each step reading its own") {
  auto d = open_test_device();
  if (!d) return;
  auto slots = slots_for(*d, 3, 8 * test_page);
  std::vector<adapter> all;
  for (std::uint32_t i = 0; i < 5; ++i)
    all.push_back(some_adapter(20, i * 10));
  const auto count = a_of(group_in(all[0], 1, lora_group::down)).size();
  auto* results = d->room<bfloat>(count * 40);
  for (std::uint32_t step = 0; step < 40; ++step) {
    const auto& a = all[step * 3 % 5];
    must(slots.attach(a, d->stream));
    const std::vector<std::uint32_t> slot{slots.slot_of(*a).value()};
    must(slots.wait_for(d->stream, slot, adapter_arrival::layer, 1));
    const auto offset = group_in(a, 1, lora_group::down).a;
    const auto g = group_on(*d, slots, slot[0], 1, lora_group::down);
    REQUIRE(offset != g.a);
    must(d->stream.copy(results + step * count, g.a, count * sizeof(bfloat)));
    must(slots.step_ended(d->stream));
    slots.detach(*a);
  }
  for (std::uint32_t step = 0; step < 40; ++step)
    REQUIRE(same_bits(d->get(results + step * count, count),
                      a_of(group_in(all[step * 3 % 5], 1, lora_group::down))));
  CHECK(slots.used_bytes() > 0);
}

TEST_CASE("rows of the table that are used again were read by the steps before") {
  auto d = open_test_device();
  if (!d) return;
  auto slots = slots_for(*d, 1, 40 * test_page);
  constexpr std::uint32_t steps = 12;
  auto* rows = d->room<gpu::adapter_group>(steps);
  std::vector<adapter> all;
  for (std::uint32_t i = 0; i < steps; ++i)
    all.push_back(some_adapter(1 + i, i));
  for (auto& a : all) {
    const auto i = static_cast<std::uint32_t>(&a - all.data());
    must(slots.attach(a, d->stream));
    const auto table = slots.table();
    const auto slot = slots.slot_of(*a).value();
    must(d->stream.copy(rows + i, table.groups + std::size_t{slot} * table.groups_per_slot, sizeof *rows));
    must(slots.step_ended(d->stream));
    slots.detach(*a);
  }
  const auto read = d->get(rows, steps);
  for (std::uint32_t i = 0; i < steps; ++i)
    CHECK(read[i].ranks == 1 + i);
}

TEST_CASE("where there is no slot or no memory the adapters that are there stay") {
  auto d = open_test_device();
  if (!d) return;
  auto slots = slots_for(*d, 2, 16 * test_page);
  const auto one = some_adapter(5, 1), two = some_adapter(6, 2), three = some_adapter(7, 3),
             large = some_adapter(2000, 4);
  must(slots.attach(one, d->stream));
  const auto used = slots.used_bytes();
  auto refused = slots.attach(large, d->stream);
  REQUIRE(!refused);
  CHECK(refused.error().code == errc::out_of_memory);
  CHECK(slots.used_bytes() == used);
  must(slots.attach(two, d->stream));
  CHECK(slots.attach(three, d->stream).error().code == errc::out_of_memory);
  slots.detach(*two);
  slots.detach(*two);
  must(slots.attach(three, d->stream));
  CHECK(slots.slot_of(*one));
  CHECK(!slots.slot_of(*two));
}
