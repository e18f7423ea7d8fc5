#include "bench/serve_flags.hpp"

#include <sstream>

#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::bench;

namespace {

result<serve_options> options(const std::string& line) {
  CLI::App app;
  auto flags = add_serve_flags(app);
  std::istringstream words(line);
  std::vector<std::string> arguments;
  for (std::string word; words >> word;)
    arguments.insert(arguments.begin(), word);  // CLI11 takes them from the back
  app.parse(arguments);
  return options_of(*flags);
}

std::string refusal(const std::string& line) {
  auto made = options(line);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == errc::bad_config);
  return made.error().text;
}

}  // namespace

TEST_CASE("the flags of vllm bench serve are taken as it takes them") {
  auto o = options(
      "--host ::1 --port 9000 --model m --num-prompts 64 --request-rate 2.5 --burstiness 0.5 "
      "--max-concurrency 8 "
      "--dataset-name random --random-input-len 96 --random-output-len 32 --random-range-ratio 0.25 "
      "--lora-modules a b c "
      "--lora-assignment round-robin --goodput ttft:1000 tpot:50 --ignore-eos --seed 7 --percentile-metrics "
      "ttft,e2el "
      "--metric-percentiles 50,99.9 --save-result --save-detailed --result-filename r.json --num-warmups 3 "
      "--metadata round=1 kind=short");
  REQUIRE(o);
  CHECK(o->base_url == "http://[::1]:9000");
  CHECK(o->random.requests == 64);
  CHECK(o->random.rate == 2.5);
  CHECK(o->random.burstiness == 0.5);
  CHECK(o->max_concurrency == 8);
  CHECK(o->random.input == 96);
  CHECK(o->random.output == 32);
  CHECK(o->random.range_ratio == 0.25);
  CHECK(o->adapters == std::vector<std::string>{"a", "b", "c"});
  CHECK(o->random.adapters == 3);
  CHECK(o->random.order == adapter_order::round_robin);
  CHECK(o->bounds.ttft == 1.0);
  CHECK(o->bounds.tpot == 0.05);
  CHECK_FALSE(o->bounds.e2el);
  CHECK(o->random.seed == 7);
  CHECK(o->seed == 7);
  CHECK(o->percentile_metrics == std::vector<std::string>{"ttft", "e2el"});
  CHECK(o->percents == std::vector<double>{50, 99.9});
  CHECK(o->save_result);
  CHECK(o->save_detailed);
  CHECK(o->warmups == 3);
  CHECK(o->metadata.at(1) == std::pair<std::string, std::string>{"kind", "short"});
}

TEST_CASE("without flags everything is sent at once to port 8000") {
  auto o = options("");
  REQUIRE(o);
  CHECK(o->base_url == "http://127.0.0.1:8000");
  CHECK(std::isinf(o->random.rate));
  CHECK(o->max_concurrency == 0);
  CHECK(o->temperature == 0);
}

TEST_CASE("S-LoRA's and Punica's traffic have their authors' defaults") {
  auto s = options(
      "--dataset-name s-lora --request-rate 3 --lora-modules a b --s-lora-cv 4 --s-lora-input-range 8 256");
  REQUIRE(s);
  CHECK(s->what == dataset::s_lora);
  CHECK(s->s_lora.seed == 42);
  CHECK(s->s_lora.rate == 3);
  CHECK(s->s_lora.adapters == 2);
  CHECK(s->s_lora.input == std::pair<std::uint32_t, std::uint32_t>{8, 256});
  auto p = options("--dataset-name punica --punica-pattern skewed --num-prompts 100");
  REQUIRE(p);
  CHECK(p->what == dataset::punica);
  CHECK(p->punica.pattern == punica_pattern::skewed);
  CHECK(p->max_concurrency == 32);
  CHECK(p->punica.seed == 0xABCDABCD987);
}

TEST_CASE("a shared beginning and Zipf's law are asked for by flags") {
  auto o =
      options("--random-prefix-len 512 --lora-modules a b --lora-assignment zipf --lora-zipf-exponent 0.9");
  REQUIRE(o);
  CHECK(o->random.prefix == 512);
  CHECK(o->random.order == adapter_order::zipf);
  CHECK(o->random.exponent == 0.9);
}

TEST_CASE("a flag with a value that it cannot have is refused by name, with what would work") {
  CHECK_THAT(refusal("--request-rate fast"), Catch::Contains("'fast'") && Catch::Contains("inf"));
  CHECK_THAT(refusal("--request-rate 0"), Catch::Contains("--request-rate"));
  CHECK_THAT(refusal("--burstiness nan"), Catch::Contains("--burstiness"));
  CHECK_THAT(refusal("--goodput ttft"), Catch::Contains("ttft:MS"));
  CHECK_THAT(refusal("--goodput speed:5"), Catch::Contains("'speed:5'"));
  CHECK_THAT(refusal("--metric-percentiles 101"), Catch::Contains("'101'"));
  CHECK_THAT(refusal("--percentile-metrics ttft,x"), Catch::Contains("'x'"));
  CHECK_THAT(refusal("--random-token-ids 5:5"), Catch::Contains("LOW:HIGH"));
  CHECK_THAT(refusal("--metadata x"), Catch::Contains("KEY=VALUE"));
  CHECK_THAT(refusal("--endpoint /v1/chat/completions"), Catch::Contains("no chat"));
  CHECK_THAT(refusal("--temperature -1"), Catch::Contains("--temperature is -1"));
  CHECK_THAT(refusal("--num-warmups 10001"), Catch::Contains("at most 10000"));
  CHECK_THAT(refusal("--dataset-name punica --request-rate 2"), Catch::Contains("closed loop"));
  CHECK_THROWS_AS(options("--dataset-name sonnet"), CLI::ValidationError);
}
