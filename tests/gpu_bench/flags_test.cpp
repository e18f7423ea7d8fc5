#include "bench/gpu/flags.hpp"

#include "bench/gpu/cases.hpp"
#include "bench/gpu/shape.hpp"
#include "tests/catch.hpp"

namespace lorica::bench {
namespace {

result<bench_flags> read(std::vector<std::string> words) {
  return read_flags(words);
}

std::string refusal(std::vector<std::string> words) {
  auto out = read_flags(words);
  REQUIRE(!out);
  CHECK(out.error().code == errc::bad_config);
  return out.error().text;
}

TEST_CASE("without flags it is everything on the shape of Mistral 7B") {
  const auto f = read({});
  REQUIRE(f);
  CHECK(f->settings.shape.layers == 32);
  CHECK(f->settings.sizes.decode_rows == std::vector<std::uint32_t>{1, 8, 32, 64, 128});
  CHECK(f->settings.how.warmups >= 3);
  CHECK(f->settings.how.runs >= 20);
  CHECK(f->settings.graphs);
  CHECK(f->settings.weights == gpu::weight_format::bfloat16);
  CHECK(f->settings.limit == 480);
  CHECK(f->only.empty());
}

TEST_CASE("flags say what runs, how often and on what") {
  const auto f =
      read({"--only",    "G-3,G-1", "--only",   "G-10", "--shape",  "tiny", "--runs",         "7",
            "--warmups", "0",       "--graphs", "off",  "--device", "2",    "--output",       "out.json",
            "--seconds", "0.5",     "--dtype",  "fp8",  "--limit",  "60",   "--warm-seconds", "0"});
  REQUIRE(f);
  CHECK(f->only == std::vector<std::string>{"G-3", "G-1", "G-10"});
  CHECK(f->settings.shape.hidden == 64);
  CHECK(f->settings.sizes.rows == 4);
  CHECK(f->settings.how.runs == 7);
  CHECK(f->settings.how.warmups == 0);
  CHECK(!f->settings.graphs);
  CHECK(f->settings.device == 2);
  CHECK(f->output == "out.json");
  CHECK(f->settings.traffic_seconds == 0.5);
  CHECK(f->settings.weights == gpu::weight_format::fp8);
  CHECK(f->settings.limit == 60);
  CHECK(f->settings.how.warm_seconds == 0);
}

TEST_CASE("a wrong flag is refused by name") {
  CHECK(refusal({"--nothing"}).find("'--nothing' is no flag") != std::string::npos);
  CHECK(refusal({"--only", "G-11"}).find("there is no case 'G-11'") != std::string::npos);
  CHECK(refusal({"--only", ""}).find("--only") != std::string::npos);
  CHECK(refusal({"--runs", "0"}).find("--runs: '0' is no number from 1") != std::string::npos);
  CHECK(refusal({"--runs", "5x"}).find("--runs") != std::string::npos);
  CHECK(refusal({"--graphs", "maybe"}).find("neither on nor off") != std::string::npos);
  CHECK(refusal({"--dtype", "int8"}).find("neither bfloat16 nor fp8") != std::string::npos);
  CHECK(refusal({"--output"}).find("--output needs a value: FILE") != std::string::npos);
  CHECK(refusal({"--seconds", "nan"}).find("--seconds") != std::string::npos);
}

TEST_CASE("a shape is a name or all of its sizes") {
  const auto own = shape_named("layers=3,hidden=8,heads=4,kv_heads=2,head_dim=2,ffn=9,vocab=11,positions=40");
  REQUIRE(own);
  CHECK(own->layers == 3);
  CHECK(own->rotary_dim == 2);
  CHECK(own->attention_scale == 1 / std::sqrt(2.0f));
  const auto why = [](std::string_view text) {
    auto out = shape_named(text);
    REQUIRE(!out);
    return out.error().text;
  };
  CHECK(why("layers=3,hidden=8").find("heads is missing") != std::string::npos);
  CHECK(why("gpt").find("'gpt' is neither a shape's name nor one of layers, hidden") != std::string::npos);
  CHECK(why("layers=0").find("layers: '0' is no number") != std::string::npos);
  CHECK(why("layers=1,hidden=8,heads=3,kv_heads=2,head_dim=2,ffn=9,vocab=11,positions=40")
            .find("kv_heads does not divide heads") != std::string::npos);
  CHECK(why("layers=1,hidden=8,heads=4,kv_heads=2,head_dim=3,ffn=9,vocab=11,positions=40").find("odd") !=
        std::string::npos);
}

TEST_CASE("the help names every flag, and the list every case") {
  const auto help = help_text();
  for (auto name : {"--only", "--list", "--shape", "--runs", "--output", "--help", "Exit codes"})
    CHECK(help.find(name) != std::string::npos);
  // What says most comes first; all of them are there.
  std::vector<std::string_view> ids;
  double seconds = 0;
  for (auto& c : cases()) {
    ids.push_back(c.id);
    seconds += c.seconds;
  }
  CHECK(ids ==
        std::vector<std::string_view>{"G-1", "G-3", "G-4", "G-2", "G-5", "G-7", "G-10", "G-6", "G-9", "G-8"});
  CHECK(seconds <= bench_flags().settings.limit);
}

}  // namespace
}  // namespace lorica::bench
