// What becomes of an executor when calls of the runtime fail, one after the other.
#include <thread>

#include "adapters/reader.hpp"
#include "gpu/executor.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/golden_model.hpp"
#include "tests/emulated_device/matmul.hpp"
#include "tests/emulated_device/runtime.hpp"
#include "tests/twins/whole_model.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

gpu::gpu_options small_options() {
  gpu::gpu_options o;
  o.blocks = 8;
  o.max_sequences = 2;
  o.max_rows = 8;
  o.max_positions = 64;
  o.product_bytes = 1 << 16;
  o.adapter_bytes = 4 << 20;
  o.adapters = 4;
  o.adapter_ranks = 768;
  return o;
}

/// One sequence in slot 0, with an adapter on its rows where there is one.
batch one_sequence(std::vector<token_id> tokens, std::uint32_t context, const packed_adapter* adapter) {
  batch b;
  b.tokens = std::move(tokens);
  sequence_rows s;
  s.rows = static_cast<std::uint32_t>(b.tokens.size());
  s.context = context;
  s.blocks = 2;
  s.sample = true;
  b.sequences = {s};
  b.block_table = {0, 1};
  if (adapter) {
    b.segments = {{0, s.rows, 0, 1}};
    b.uses = {{adapter, 1.0f}};
  }
  return b;
}

adapter_weights some_adapter(const model_config& m) {
  auto loaded =
      read_adapter(std::string(LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa/r8-q-v"), m, {}, {});
  REQUIRE(loaded);
  return loaded->weights;
}

/// From nothing to three steps, one of them recorded, and the end.
result<std::vector<token_id>> whole_life(const std::shared_ptr<const model_weights>& model,
                                         const adapter_weights& weights, gpu::weight_format format) {
  auto options = small_options();
  options.weights = format;
  auto made = gpu::make_gpu_executor(model, options);
  if (!made) return std::move(made).error();
  auto& engine = **made;
  auto packed = engine.packer().pack(weights, {});
  if (!packed) return packed.error();
  if (auto ok = engine.attach(*packed); !ok) return ok.error();
  std::vector<token_id> out;
  for (const auto& step :
       {one_sequence({5, 6, 7}, 0, packed->get()), one_sequence({sampled_last}, 3, packed->get()),
        one_sequence({sampled_last}, 4, packed->get())}) {
    auto done = engine.execute(step);
    if (!done) return done.error();
    out.push_back(done->tokens.at(0).token);
  }
  engine.detach(**packed);
  return out;
}

}  // namespace

TEST_CASE("whatever call of the device fails, an executor tells it and gives everything back") {
  const auto g = open_golden("llama-tied-gqa");
  const auto weights = some_adapter(g.weights->config());
  const auto format = GENERATE(gpu::weight_format::bfloat16, gpu::weight_format::fp8);
  const auto things = emulated_device::things_alive();
  const auto blas_things = emulated_device::blas_things_alive();
  emulated_device::fail_after(~std::uint64_t{0} - 1, cudaErrorInvalidValue);
  auto expected = whole_life(g.weights, weights, format);
  const auto calls = emulated_device::calls_made();
  if (!expected) FAIL(expected.error().text);
  REQUIRE(calls > 200);
  std::size_t survived = 0;
  for (std::uint64_t at = 0; at < calls; ++at) {
    INFO("call " << at << " of " << calls);
    emulated_device::fail_after(at, at % 2 == 0 ? cudaErrorInvalidValue : cudaErrorMemoryAllocation);
    auto done = whole_life(g.weights, weights, format);
    emulated_device::reset();
    // A call may only give back, and nobody hears of its failure.
    if (done) {
      ++survived;
      REQUIRE(*done == *expected);
    } else {
      REQUIRE_FALSE(done.error().text.empty());
    }
    REQUIRE(emulated_device::things_alive() == things);
    REQUIRE(emulated_device::blas_things_alive() == blas_things);
  }
  CHECK(survived * 10 < calls);
}

TEST_CASE("a step that fails leaves an executor that computes the next one as ever") {
  const auto g = open_golden("llama-tied-gqa");
  auto made = gpu::make_gpu_executor(g.weights, small_options());
  REQUIRE(made);
  const auto first = one_sequence({5, 6, 7}, 0, nullptr);
  REQUIRE((*made)->execute(first));  // the products of such a step are chosen now
  emulated_device::fail_after(~std::uint64_t{0} - 1, cudaErrorInvalidValue);
  auto expected = (*made)->execute(first);
  const auto calls = emulated_device::calls_made();
  REQUIRE(expected);
  for (std::uint64_t at = 0; at < calls; ++at) {
    INFO("call " << at << " of " << calls);
    emulated_device::fail_after(at, cudaErrorInvalidValue);
    auto failed = (*made)->execute(first);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == errc::generation_failed);
    CHECK_FALSE((*made)->lost());
    auto again = (*made)->execute(first);
    REQUIRE(again);
    CHECK(again->tokens[0].token == expected->tokens[0].token);
    CHECK(again->tokens[0].logprob == expected->tokens[0].logprob);
  }
}

TEST_CASE(
    "an executor whose device keeps an error says that it is lost, with and without adapters to attach") {
  const auto g = open_golden("llama-tied-gqa");
  const auto things = emulated_device::things_alive();
  {
    auto made = gpu::make_gpu_executor(g.weights, small_options());
    REQUIRE(made);
    auto packed = (*made)->packer().pack(some_adapter(g.weights->config()), {});
    REQUIRE(packed);
    REQUIRE((*made)->execute(one_sequence({5, 6, 7}, 0, nullptr)));
    emulated_device::lose(cudaErrorIllegalAddress);
    const bool attaches = GENERATE(false, true);
    const auto failed = attaches ? (*made)->attach(*packed).error()
                                 : (*made)->execute(one_sequence({sampled_last}, 3, nullptr)).error();
    CHECK(failed.code == errc::generation_failed);
    CHECK((*made)->lost());
  }
  emulated_device::reset();
  CHECK(emulated_device::things_alive() == things);
}

TEST_CASE("an executor takes the device memory that was foretold, and says what it computes on") {
  const auto g = open_golden("llama-untied-bias-f16");
  const auto before = emulated_device::device_bytes();
  auto made = gpu::make_gpu_executor(g.weights, small_options());
  REQUIRE(made);
  const auto foretold = gpu::gpu_memory_of(*g.weights, small_options());
  std::uint64_t all = 0;
  for (auto bytes : foretold)
    all += bytes;
  CHECK(emulated_device::device_bytes() - before == all);
  const auto part = [&](memory_part p) { return foretold[static_cast<std::size_t>(p)]; };
  auto& l = (*made)->limits();
  CHECK(l.weight_bytes == part(memory_part::weights));
  CHECK(l.kv_bytes == part(memory_part::kv));
  CHECK(l.workspace_bytes == part(memory_part::workspace));
  CHECK_THAT((*made)->description(),
             Catch::StartsWith("bfloat16 (") && Catch::EndsWith("graphs of up to 2 rows)"));
}

TEST_CASE("adapters are packed on the executor's device, whichever thread packs") {
  const auto g = open_golden("llama-tied-gqa");
  constexpr std::size_t memory = std::size_t{1} << 30;
  emulated_device::set_devices(2, memory);
  auto options = small_options();
  options.device = 1;
  auto made = gpu::make_gpu_executor(g.weights, options);
  REQUIRE(made);
  const auto weights = some_adapter(g.weights->config());
  int chosen = -1;
  std::thread([&] {
    if ((*made)->packer().pack(weights, {})) chosen = emulated_device::chosen_device();
  }).join();
  CHECK(chosen == 1);
  made->reset();
  CHECK(cudaSetDevice(0) == cudaSuccess);
  emulated_device::set_devices(1, memory);
}

TEST_CASE("a device that is too small says so, and options that make no sense are refused by name") {
  const auto g = open_golden("llama-tied-gqa");
  auto o = small_options();
  o.blocks = 1u << 30;
  auto refused = gpu::make_gpu_executor(g.weights, o);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::out_of_memory);
  const auto bad = [&](const char* what, auto change) {
    auto options = small_options();
    change(options);
    auto r = gpu::make_gpu_executor(g.weights, options);
    REQUIRE_FALSE(r);
    CHECK(r.error().code == errc::bad_config);
    CHECK_THAT(r.error().text, Catch::StartsWith(what));
  };
  bad("block_tokens", [](auto& v) { v.block_tokens = 8; });
  bad("blocks", [](auto& v) { v.blocks = 0; });
  bad("max_sequences", [](auto& v) { v.max_rows = 0; });
  bad("max_rows", [](auto& v) { v.max_rows = 65536; });
  bad("max_positions", [](auto& v) { v.max_positions = 1u << 30; });
  bad("token_ids", [](auto& v) { v.token_ids = 1u << 30; });
  bad("CUDA device 7", [](auto& v) { v.device = 7; });
}
