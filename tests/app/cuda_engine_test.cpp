// What the settings make of a device, on the emulated one.
#include "app/cuda_engine.hpp"

#include "tests/catch.hpp"
#include "tests/emulated_device/runtime.hpp"

using namespace lorica;

namespace {

constexpr std::uint64_t all_memory = std::uint64_t{256} << 20;

std::shared_ptr<const model_weights> tiny_model() {
  auto weights = open_model(LORICA_TEST_DATA "/golden/models/llama-tied-gqa");
  REQUIRE(weights);
  return *weights;
}

/// Settings whose keys and values would fill any device.
serve_settings greedy_settings() {
  serve_settings s;
  s.device = device_choice::cuda;
  s.adapter_host_memory = std::uint64_t{1} << 40;
  s.max_batch_size = 1024;
  s.max_batch_prefill_tokens = 32;
  s.cuda_graphs = {{1}};
  return s;
}

serve_settings small_settings() {
  auto s = greedy_settings();
  s.adapter_host_memory = std::uint64_t{1} << 20;
  s.max_batch_size = 40;
  s.max_total_tokens = 64;
  s.cuda_graphs.reset();
  return s;
}

chosen_engine made(const serve_settings& s) {
  auto out = make_on_cuda(s, tiny_model(), 0);
  if (!out) FAIL(out.error().text);
  return *std::move(out);
}

}  // namespace

TEST_CASE("a server's share of a device is a share of all memory, and never more than is free") {
  CHECK(device_budget(1000, 1000, 1) == 920);
  CHECK(device_budget(1000, 1000, 0.5) == 460);
  CHECK(device_budget(1000, 300, 0.5) == 276);
  CHECK(device_budget(1000, 0, 1) == 0);
}

TEST_CASE("an executor takes no more of a device than its share, however much its cache could use") {
  emulated_device::set_devices(1, all_memory);
  auto s = greedy_settings();
  std::uint64_t before = 0;
  for (double share : {0.4, 0.6, 1.0}) {
    INFO("share " << share);
    s.cuda_memory_fraction = share;
    const auto here = emulated_device::device_bytes();
    const auto engine = made(s);
    const auto taken = emulated_device::device_bytes() - here;
    const auto budget = device_budget(all_memory, all_memory - here, share);
    CHECK(taken <= budget);
    CHECK(taken > budget - (1 << 20));
    CHECK(taken > before);
    before = taken;
    const auto told = engine.engine->device();
    REQUIRE(told);
    CHECK(told->name == "emulated device");
    CHECK(told->memory_bytes == all_memory);
    CHECK(told->taken_bytes == taken);
  }
}

TEST_CASE("memory that another process holds is left to it") {
  emulated_device::set_devices(1, all_memory);
  void* others = nullptr;
  REQUIRE(cudaMalloc(&others, all_memory / 2) == cudaSuccess);
  const auto engine = made(greedy_settings());
  CHECK(engine.engine->device()->taken_bytes <= device_budget(all_memory, all_memory / 2, 1));
  CHECK(cudaFree(others) == cudaSuccess);
}

TEST_CASE("too small a share says which settings take what, and so does too large a cache") {
  emulated_device::set_devices(1, all_memory);
  auto s = greedy_settings();
  s.cuda_memory_fraction = 0.05;
  auto refused = make_on_cuda(s, tiny_model(), 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::out_of_memory);
  CHECK_THAT(refused.error().text, Catch::Contains("11 MiB to give (--cuda-memory-fraction)"));
  s.cuda_memory_fraction = 1;
  s.kv_memory = all_memory;
  refused = make_on_cuda(s, tiny_model(), 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_config);
  CHECK_THAT(refused.error().text, Catch::StartsWith("--kv-memory: 268435456 bytes are more than the "));
}

TEST_CASE("steps are recorded for the numbers that are asked for, as far as so many can run, or for none") {
  emulated_device::set_devices(1, all_memory);
  using rows = std::vector<std::uint32_t>;
  auto s = small_settings();
  CHECK(made(s).engine->device()->graph_rows == rows{1, 2, 4, 8, 16, 32, 40});
  s.cuda_graphs = {{1, 3, 40, 48}};
  CHECK(made(s).engine->device()->graph_rows == rows{1, 3, 40});
  for (auto& none : {rows{}, rows{48}}) {
    s.cuda_graphs = none;
    const auto engine = made(s);
    CHECK(engine.engine->device()->graph_rows.empty());
    CHECK_THAT(engine.engine->description(), Catch::EndsWith("no graphs)"));
  }
}

TEST_CASE("a deterministic engine says so") {
  emulated_device::set_devices(1, all_memory);
  auto s = small_settings();
  CHECK_FALSE(made(s).engine->device()->deterministic);
  s.deterministic = true;
  CHECK(made(s).engine->device()->deterministic);
}
