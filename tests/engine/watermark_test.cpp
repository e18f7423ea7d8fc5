// Against what torch draws (tools/make_watermark_goldens.py).
#include "engine/watermark.hpp"

#include <fstream>
#include <sstream>

#include "core/json.hpp"
#include "engine/sampler.hpp"
#include "tests/catch.hpp"

using namespace lorica;

TEST_CASE("a watermark raises the tokens that TGI's processor raises, and no others") {
  std::ostringstream text;
  text << std::ifstream(LORICA_TEST_DATA "/golden/sampling/watermarks.json").rdbuf();
  auto cases = parse_json(text.str());
  REQUIRE(cases);
  REQUIRE(cases->as_array()->size() == 36);
  std::vector<std::uint32_t> scratch;
  for (auto& c : *cases->as_array()) {
    auto number = [&c](const char* name) { return *c.find(name)->as_int(); };
    INFO("vocabulary of " << number("vocab") << " after " << number("before"));
    std::vector<float> logits(static_cast<std::size_t>(number("vocab")), 1.0f);
    add_watermark(logits, {c.find("gamma")->number(), 2.5f}, static_cast<token_id>(number("before")),
                  scratch);
    std::int64_t count = 0, sum = 0, squares = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (logits[i] == 1.0f) continue;
      REQUIRE(logits[i] == 3.5f);
      auto id = static_cast<std::int64_t>(i);
      ++count, sum += id, squares += id * id;
    }
    CHECK(count == number("count"));
    CHECK(sum == number("sum"));
    CHECK(squares == number("squares"));
    auto& first = *c.find("first")->as_array();
    for (std::size_t i = 0; i < first.size(); ++i)
      CHECK(scratch[i] == static_cast<std::uint32_t>(*first[i].as_int()));
  }
}

TEST_CASE("the token before draws the watermark, before penalties; log-probabilities stay the model's") {
  std::vector<float> logits(320, 0.0f);
  logits[17] = 0.5f;
  std::vector<token_id> history{5, 277};
  sampling_context context{history, 2, {}, 0, 0, 0};
  sampler plain;
  auto without = plain.choose(logits, context);
  CHECK(without.token == 17);
  token_rules rules;
  rules.mark = watermark{0.5, 2.0f};
  context.params.rules = shared_rules(rules);
  auto raised = logits;
  std::vector<std::uint32_t> scratch;
  add_watermark(raised, *rules.mark, 277, scratch);
  auto best = static_cast<token_id>(std::ranges::max_element(raised) - raised.begin());
  auto with = plain.choose(logits, context);
  CHECK(with.token == best);
  CHECK(with.logprob < without.logprob + 1e-6f);
  // A mask stays a mask.
  rules.allowed = std::vector<token_id>{17};
  context.params.rules = shared_rules(rules);
  CHECK(plain.choose(logits, context).token == 17);
}
