#include "app/engine_choice.hpp"

#include <tuple>

#include "gpu/device.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

result<void> found() {
  return {};
}
result<void> missing() {
  return fail(errc::bad_config, "no CUDA device was found");
}

serve_settings with(device_choice device) {
  serve_settings s;
  s.device = device;
  return s;
}

}  // namespace

TEST_CASE("a CUDA device computes where it is asked for, or where there is one") {
  CHECK(*wants_cuda(with(device_choice::cuda), found));
  CHECK(*wants_cuda(with(device_choice::automatic), found));
  CHECK_FALSE(*wants_cuda(with(device_choice::automatic), missing));
  CHECK_FALSE(*wants_cuda(with(device_choice::cpu), found));
  auto refused = wants_cuda(with(device_choice::cuda), missing);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_config);
  CHECK(refused.error().text == "--device cuda: no CUDA device was found");
}

TEST_CASE("settings that a CPU has no use for are named where they ask for something") {
  serve_settings s;
  CHECK(unused_on_cpu(s).empty());
  s.cuda_memory_fraction = 0.5;
  s.cuda_graphs.emplace();
  s.deterministic = true;
  CHECK(unused_on_cpu(s) ==
        std::vector<std::string>{"--cuda-memory-fraction", "--cuda-graphs", "--deterministic"});
}

TEST_CASE("what only the CPU has keeps auto there and is refused on a CUDA device") {
  for (auto dtype : {compute_dtype::float32, compute_dtype::int8}) {
    for (auto setting :
         {&serve_settings::dtype, &serve_settings::adapter_dtype, &serve_settings::kv_cache_dtype}) {
      auto s = with(device_choice::automatic);
      s.*setting = dtype;
      CHECK_FALSE(*wants_cuda(s, found));
      s.device = device_choice::cuda;
      auto refused = wants_cuda(s, found);
      REQUIRE_FALSE(refused);
      CHECK_THAT(refused.error().text,
                 Catch::Contains("with --device cuda it can be bfloat16") && Catch::EndsWith(" or auto"));
    }
  }
  auto s = with(device_choice::automatic);
  s.dtype = compute_dtype::bfloat16;
  CHECK(*wants_cuda(s, found));
}

TEST_CASE("fp8 is computed on a CUDA device or refused with what works") {
  const auto refusal = [](serve_settings s, const std::function<result<void>()>& find_device) {
    auto refused = wants_cuda(s, find_device);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::bad_config);
    return refused.error().text;
  };
  for (auto device : {device_choice::automatic, device_choice::cuda, device_choice::cpu}) {
    auto s = with(device);
    s.dtype = compute_dtype::fp8;
    if (device == device_choice::cpu) {
      CHECK(
          refusal(s, found) ==
          "--dtype fp8: only CUDA devices compute in it; on a CPU it can be auto, float32, bfloat16 or int8");
      continue;
    }
    CHECK(*wants_cuda(s, found));
    CHECK(refusal(s, missing) ==
          "--dtype fp8: no CUDA device was found; on a CPU it can be auto, float32, bfloat16 or int8");
    s.kv_cache_dtype = compute_dtype::int8;
    CHECK(refusal(s, found) ==
          "--kv-cache-dtype: with --device cuda it can be bfloat16 or auto, and --dtype fp8 needs one");
  }
}

TEST_CASE("a device says which weights it computes with") {
  gpu::device_properties p;
  p.name = "a device";
  for (auto [major, minor, can] :
       {std::tuple(8u, 0u, false), {8u, 6u, false}, {8u, 9u, true}, {9u, 0u, true}, {12u, 0u, true}}) {
    p.major = major;
    p.minor = minor;
    CHECK(gpu::check_weights(gpu::weight_format::bfloat16, p));
    CHECK(static_cast<bool>(gpu::check_weights(gpu::weight_format::fp8, p)) == can);
    CHECK(p.scales_products() == (major == 9));
  }
}
