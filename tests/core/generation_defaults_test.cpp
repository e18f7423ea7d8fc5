#include "core/generation_defaults.hpp"

#include "tests/catch.hpp"

using namespace lorica;

namespace {

result<generation_defaults> read(const std::string& json) {
  auto parsed = parse_json(json);
  REQUIRE(parsed);
  return read_generation_defaults(*parsed);
}

}  // namespace

TEST_CASE("defaults are read, written and read back as the same") {
  auto all = read(
      R"({"temperature":0.7,"top_k":5,"top_p":0.9,"typical_p":0.8,"min_p":0.05,"repetition_penalty":1.1,)"
      R"("frequency_penalty":-2,"presence_penalty":2,"max_new_tokens":40,"stop":["\n","é"]})");
  REQUIRE(all);
  CHECK(all->top_k == 5u);
  CHECK(all->stop == std::vector<std::string>{"\n", "é"});
  auto text = written(*all);
  CHECK(text.find("\"temperature\":0.7,") != std::string::npos);  // not 0.699999988
  CHECK(*read(text) == *all);
  CHECK(written(*read("{}")).empty());
  CHECK(*read(R"({"top_k":null})") == generation_defaults{});
}

TEST_CASE("what is out of range or unknown is refused by its name") {
  for (std::string bad :
       {R"("temperature":-0.1)", R"("temperature":"hot")", R"("temperature":1e300)", R"("top_p":0)",
        R"("top_p":1.1)", R"("typical_p":0)", R"("min_p":-0.1)", R"("min_p":2)", R"("repetition_penalty":0)",
        R"("frequency_penalty":3)", R"("presence_penalty":-3)", R"("top_k":-1)", R"("top_k":1.5)",
        R"("top_k":5000000000)", R"("max_new_tokens":0)", R"("stop":"a")", R"("stop":[""])", R"("stop":[1])",
        R"("seed":1)"}) {
    INFO(bad);
    auto got = read("{" + bad + "}");
    REQUIRE_FALSE(got);
    CHECK(got.error().code == errc::invalid);
    CHECK(got.error().param == "defaults." + bad.substr(1, bad.find('"', 1) - 1));
  }
  auto many = std::string(R"({"stop":["x")");
  for (std::size_t i = 0; i < most_default_stops; ++i)
    many += R"(,"x")";
  CHECK_FALSE(read(many + "]}"));
  CHECK_FALSE(read(R"({"stop":[")" + std::string(most_default_stop_bytes + 1, 'x') + R"("]})"));
  CHECK(read(R"([])").error().param == "defaults");
}

TEST_CASE("defaults fill in what a request left open and nothing else") {
  auto d = read(
      R"({"temperature":0.5,"top_k":5,"top_p":0.9,"typical_p":0.8,"min_p":0.25,"repetition_penalty":1.5,)"
      R"("frequency_penalty":-1,"presence_penalty":1,"max_new_tokens":40,"stop":["x"]})");
  REQUIRE(d);
  generation_request open;
  open.max_new_tokens = 16;
  fill_in(*d, open);
  CHECK(open.sampling == sampling_params{true, 0.5f, 5, 0.9f, 0.8f, 1.5f, -1, 0, 1, 0.25f});
  CHECK(open.max_new_tokens == 40u);
  CHECK(open.stop == std::vector<std::string>{"x"});

  generation_request closed;
  closed.given = {true, true, true, true, true, true, true, true, true, true};
  closed.max_new_tokens = 3;
  closed.stop = {"own"};
  fill_in(*d, closed);
  CHECK(closed.sampling == sampling_params{});
  CHECK(closed.max_new_tokens == 3u);
  CHECK(closed.stop == std::vector<std::string>{"own"});

  generation_request sampled;
  sampled.sampling.sample = true;
  fill_in(*read(R"({"temperature":0})"), sampled);
  CHECK_FALSE(sampled.sampling.sample);
  CHECK(sampled.sampling.temperature == 1);
}
