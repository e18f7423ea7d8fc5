#include "net/timing_fields.hpp"

#include "tests/catch.hpp"

using namespace lorica;
using namespace std::chrono_literals;

namespace {

std::string told(const std::vector<http_field>& fields) {
  std::string out;
  for (auto& f : fields)
    out += f.name + "=" + f.value + " ";
  return out;
}

collected choices_of(std::vector<std::uint32_t> tokens) {
  collected all(static_cast<std::uint32_t>(tokens.size()));
  for (std::size_t i = 0; i < tokens.size(); ++i)
    all.choices[i].end.generated_tokens = tokens[i];
  all.facts.prompt_tokens = 5;
  all.timings = {2ms, 3ms, 40ms, 15ms};
  return all;
}

}  // namespace

TEST_CASE("a whole answer tells counts and times as TGI and LoRAX do") {
  arrival from{"cpu", 3, clock_source::time_point(1000ms)};
  // From the first token, after 15 ms, to the last, after 45 ms, it took 30 ms for two more.
  CHECK(told(timing_fields(from, choices_of({3}), clock_source::time_point(2500ms))) ==
        "x-compute-type=cpu x-compute-characters=3 x-compute-time=1.500000 x-total-time=1500 "
        "x-validation-time=2 "
        "x-queue-time=3 x-inference-time=40 x-time-per-token=13 x-time-to-first-token=15 "
        "x-time-per-output-token=15 x-prompt-tokens=5 x-generated-tokens=3 x-total-tokens=8 "
        "x-skipped-tokens=0 ");
}

TEST_CASE("choices that were generated side by side count their tokens together and their time once") {
  auto text = told(timing_fields({"cpu", 3, {}}, choices_of({1, 4}), {}));
  CHECK_THAT(text, Catch::Contains("x-generated-tokens=5 x-total-tokens=10") &&
                       Catch::Contains("x-time-per-token=8 ") &&
                       Catch::Contains("x-time-per-output-token=10 "));
}

TEST_CASE("an answer of one token or none has no time between tokens") {
  auto all = choices_of({1});
  all.timings = {2ms, 3ms, 10ms, 15ms};
  CHECK_THAT(told(timing_fields({"cpu", 3, {}}, all, {})), Catch::Contains("x-time-per-output-token=0 "));
  CHECK_THAT(told(timing_fields({"cpu", 3, {}}, choices_of({0}), {})),
             Catch::Contains("x-generated-tokens=0 "));
}

TEST_CASE("characters are counted as such, and not of prompts that are ids") {
  generation_request request;
  request.prompts = {"né漢🙂"};
  CHECK(told(arrival_fields(arrival_of(request, "cpu", {}))) == "x-compute-type=cpu x-compute-characters=4 ");
  request.prompts = {"né", std::vector<token_id>{1, 2}};
  CHECK(told(arrival_fields(arrival_of(request, "cpu", {}))) == "x-compute-type=cpu ");
}
