#include "app/engine_choice.hpp"

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
      CHECK_THAT(refused.error().text, Catch::Contains("with --device cuda it can be bfloat16 or auto"));
    }
  }
  auto s = with(device_choice::automatic);
  s.dtype = compute_dtype::bfloat16;
  CHECK(*wants_cuda(s, found));
}
