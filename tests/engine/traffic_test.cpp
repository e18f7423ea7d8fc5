#include "bench/traffic.hpp"

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "core/json.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::bench;

namespace {

double number_at(const value& object, const char* name) {
  return object.find(name)->number();
}

slora_options options_of(const value& o) {
  auto whole = [&o](const char* name) { return static_cast<std::uint32_t>(number_at(o, name)); };
  return {.adapters = whole("adapters"),
          .alpha = number_at(o, "alpha"),
          .rate = number_at(o, "rate"),
          .cv = number_at(o, "cv"),
          .seconds = number_at(o, "seconds"),
          .input_low = whole("input_low"),
          .input_high = whole("input_high"),
          .output_low = whole("output_low"),
          .output_high = whole("output_high"),
          .seed = whole("seed")};
}

}  // namespace

TEST_CASE("S-LoRA's trace is what numpy's legacy generator draws") {
  std::ifstream file(LORICA_TEST_DATA "/golden/traffic/slora.json");
  std::ostringstream text;
  text << file.rdbuf();
  auto root = parse_json(text.str());
  REQUIRE(root);
  auto& cases = *root->find("cases")->as_array();
  REQUIRE(cases.size() == 4);
  for (auto& c : cases) {
    auto& wanted = *c.find("requests")->as_array();
    auto made = slora_traffic(options_of(*c.find("options")));
    REQUIRE(made);
    REQUIRE(made->size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      auto& row = *wanted[i].as_array();
      auto& r = (*made)[i];
      INFO("request " << i);
      // Functions of libm may differ in the last bit from those numpy was built with.
      REQUIRE(std::abs(r.at - row[0].number()) <= 1e-12 * (1 + r.at));
      REQUIRE(r.adapter == row[1].number() + 1);
      REQUIRE(r.prompt == row[2].number());
      REQUIRE(r.output == row[3].number());
    }
  }
}

TEST_CASE("S-LoRA's options that make no sense are refused by name") {
  auto param = [](auto change) {
    slora_options o;
    change(o);
    auto made = slora_traffic(o);
    return made ? std::string("taken") : made.error().param;
  };
  CHECK(param([](auto& o) { o.adapters = 0; }) == "adapters");
  CHECK(param([](auto& o) { o.alpha = 0; }) == "alpha");
  CHECK(param([](auto& o) { o.cv = std::nan(""); }) == "cv");
  CHECK(param([](auto& o) { o.rate = -1; }) == "rate");
  CHECK(param([](auto& o) { o.seconds = INFINITY; }) == "seconds");
  CHECK(param([](auto& o) { o.rate = 1e9; }) == "rate");
  CHECK(param([](auto& o) { o.input_low = o.input_high; }) == "input_low");
  CHECK(param([](auto& o) { o.output_low = 0; }) == "output_low");
  CHECK(param([](auto&) {}) == "taken");
}

TEST_CASE("Punica's patterns have its adapters and lengths") {
  auto kinds = [](punica_pattern pattern) {
    auto made = punica_traffic({.pattern = pattern});
    REQUIRE(made);
    REQUIRE(made->size() == 1000);
    std::map<std::uint32_t, int> counts;
    double prompts = 0;
    for (auto& r : *made) {
      ++counts[r.adapter];
      prompts += r.prompt;
      REQUIRE((r.at == 0 && r.prompt >= 1 && r.output >= 2));
      REQUIRE(r.prompt + r.output <= 2048);
    }
    // The mean of the lognormal is 18 exp(0.32) - 1 = 23.8.
    CHECK((prompts / 1000 > 21 && prompts / 1000 < 26));
    return counts;
  };
  CHECK(kinds(punica_pattern::distinct).size() == 1000);
  CHECK(kinds(punica_pattern::identical).size() == 1);
  auto uniform = kinds(punica_pattern::uniform);
  CHECK(uniform.size() == 32);
  CHECK((uniform.at(1) == 32 && uniform.at(32) == 31));
  auto skewed = kinds(punica_pattern::skewed);
  CHECK(skewed.at(1) == 333);
  CHECK(skewed.at(2) == 222);
  CHECK(skewed.at(3) == 148);
  CHECK(punica_traffic({.longest = 3}).error().param == "longest");
  CHECK(punica_traffic({.requests = 0}).error().param == "requests");
}

TEST_CASE("a trace is a function of its seed") {
  auto same = [](std::uint64_t a, std::uint64_t b) {
    auto left = *punica_traffic({.seed = a});
    auto right = *punica_traffic({.seed = b});
    for (std::size_t i = 0; i < left.size(); ++i)
      if (left[i].prompt != right[i].prompt || left[i].adapter != right[i].adapter) return false;
    return true;
  };
  CHECK(same(1, 1));
  CHECK_FALSE(same(1, 2));
}
