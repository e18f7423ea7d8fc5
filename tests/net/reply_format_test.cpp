// The bytes that clients parse, as they must be.
#include "net/completion_reply.hpp"

#include "core/json.hpp"
#include "net/chat_reply.hpp"
#include "net/reply_fields.hpp"
#include "net/sse_stream.hpp"
#include "net/tgi_reply.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"

using namespace lorica;
using namespace std::chrono_literals;

namespace {

generation_started facts() {
  generation_started out;
  out.prompt_tokens = 5;
  return out;
}

collected two_tokens() {
  collected all;
  all.facts = facts();
  collected::choice c;
  c.tokens = {{12, " Hello", -0.4f, false, {}}, {2, "", -0.1f, true, "</s>"}};
  c.end = {0, finish_reason::eos_token, " Hello", 2, 99};
  all.choices.push_back(c);
  all.timings = {2ms, 3ms, 40ms};
  return all;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (auto& p : parts)
    out += p + "\n";
  return out;
}

openai_identity identity() {
  return {"cmpl-1", 1700000000, "sql", "0.1.0-cpu"};
}

}  // namespace

TEST_CASE("a native stream of two tokens has exactly the bytes of the reference") {
  tgi_wishes wishes;
  wishes.details = true;
  auto format = tgi_events(wishes);
  format->fields(facts());
  auto out = joined(format->chunk({0, {{12, " Hello", -0.4f, false, {}}}}));
  out += joined(format->chunk({0, {{2, "", -0.1f, true, "</s>"}}, true}));
  out += joined(format->finished({0, finish_reason::eos_token, " Hello", 2, 99}));
  out += joined(format->done());
  CHECK(
      out ==
      R"({"index":1,"token":{"id":12,"text":" Hello","logprob":-0.4,"special":false,"skipped":false},"generated_text":null,"details":null})"
      "\n"
      R"({"index":2,"token":{"id":2,"text":"</s>","logprob":-0.1,"special":true,"skipped":false},"generated_text":" Hello","details":{"finish_reason":"eos_token","generated_tokens":2,"seed":null,"input_length":5,"prompt_tokens":5}})"
      "\n");
  CHECK(as_event("{}") == "data: {}\n\n");
}

TEST_CASE(
    "text that was held back until a hidden end token is not lost to clients that leave out special tokens") {
  auto format = tgi_events({});
  format->fields(facts());
  CHECK(format->chunk({0, {{2, "held", -0.1f, true, "</s>"}}, true}).empty());
  CHECK(
      joined(format->finished({0, finish_reason::eos_token, "held", 1, 99})) ==
      R"({"index":1,"token":{"id":2,"text":"held","logprob":-0.1,"special":false,"skipped":false},"generated_text":"held","details":null})"
      "\n");
}

TEST_CASE("a native stream shows prompt and seed when they were asked for") {
  tgi_wishes wishes;
  wishes.details = true;
  wishes.full_text_prefix = "Hey";
  auto format = tgi_events(wishes);
  format->fields(facts());
  CHECK(format->chunk({0, {{1, "a", -1, false, {}}, {2, "b", -1, false, {}}}, true}).size() == 1);
  generation_finish end{0, finish_reason::length, "ab", 2, 99};
  end.sampled = true;
  auto last = format->finished(end);
  REQUIRE(last.size() == 1);
  CHECK_THAT(last[0], Catch::Contains(R"("text":"b")") && Catch::Contains(R"("generated_text":"Heyab")") &&
                          Catch::Contains(R"("seed":99)"));
}

TEST_CASE("a native reply is an object, with details if asked for, and a list on the root") {
  tgi_wishes wishes;
  auto all = two_tokens();
  CHECK(tgi_reply(wishes, all).body == R"({"generated_text":" Hello"})");
  wishes.list = true;
  CHECK(tgi_reply(wishes, all).body == R"([{"generated_text":" Hello"}])");
  wishes.list = false;
  wishes.details = true;
  CHECK(
      tgi_reply(wishes, all).body ==
      R"({"generated_text":" Hello","details":{"finish_reason":"eos_token","generated_tokens":2,"seed":null,"prefill":[],)"
      R"("tokens":[{"id":12,"text":" Hello","logprob":-0.4,"special":false,"skipped":false},)"
      R"({"id":2,"text":"</s>","logprob":-0.1,"special":true,"skipped":false}],"prompt_tokens":5,"skipped_tokens":0}})");
}

TEST_CASE("a native reply names the adapter in its head, and the seed where it mattered") {
  tgi_wishes wishes;
  wishes.details = true;
  auto all = two_tokens();
  all.facts.served = lorica::testing::served_by_adapter();
  all.choices[0].end.sampled = true;
  auto reply = tgi_reply(wishes, all);
  std::string fields;
  for (auto& f : reply.fields)
    fields += f.name + "=" + f.value + " ";
  CHECK(fields ==
        "x-adapter-id=sql x-adapter-version=ab0000000000 x-adapter-tier=device x-adapter-source=hub ");
  CHECK_THAT(reply.body, Catch::Contains(R"("seed":99,)"));
}

TEST_CASE("several adapters are named in the order asked for, each with its version, tier and source") {
  auto served = lorica::testing::served_by_adapter();
  served.adapters.push_back({"org/chat", adapter_version{}, "disk", "local"});
  auto fields = served_fields(served);
  REQUIRE(fields.size() == 4);
  CHECK((fields[0].name == "x-adapter-id" && fields[0].value == "sql,org/chat"));
  CHECK((fields[1].name == "x-adapter-version" && fields[1].value == "ab0000000000,000000000000"));
  CHECK((fields[2].name == "x-adapter-tier" && fields[2].value == "device,disk"));
  CHECK((fields[3].name == "x-adapter-source" && fields[3].value == "hub,local"));
  CHECK(served_fields({"base-model", {}}).empty());
}

TEST_CASE("where the base answers for a name that nobody has, that is all the head says of adapters") {
  auto fields = served_fields({"base-model", {}, true});
  REQUIRE(fields.size() == 1);
  CHECK((fields[0].name == "x-adapter-fallback" && fields[0].value == "base"));
}

TEST_CASE("the first of several choices is the answer, the others are listed") {
  tgi_wishes wishes;
  wishes.details = true;
  auto all = two_tokens();
  all.choices.push_back(all.choices[0]);
  all.choices[0].end = {0, finish_reason::length, "better", 2, 100};
  all.choices[1].end.text = "worse";
  auto body = tgi_reply(wishes, all).body;
  CHECK(body.starts_with(R"({"generated_text":"better","details":{"finish_reason":"length")"));
  CHECK_THAT(
      body, Catch::Contains(R"("best_of_sequences":[{"generated_text":"worse","finish_reason":"eos_token")"));
}

TEST_CASE("a format that was told so names in the last event of a choice who serves, and only there") {
  const served_by one = lorica::testing::served_by_adapter();
  auto two = one;
  two.adapters.push_back({"org/chat", adapter_version{}, "disk", "local"});
  const std::string sql = R"({"id":"sql","version":"ab0000000000","tier":"device"})";
  const std::string chat = R"({"id":"org/chat","version":"000000000000","tier":"disk"})";
  struct expectation {
    served_by served;
    std::string members;
  };
  const expectation table[] = {{one, R"(,"adapter":)" + sql},
                               {two, R"(,"adapters":[)" + sql + "," + chat + "]"},
                               {{"base-model", {}, true}, R"(,"adapter_fallback":"base")"},
                               {{"base-model", {}}, ""}};
  for (auto& row : table) {
    std::unique_ptr<event_format> formats[] = {tgi_events({}),
                                               completion_events(identity(), {usage_chunks::last}, 1),
                                               chat_events(identity(), {usage_chunks::last}, 1)};
    for (auto& format : formats) {
      format->fields(facts());
      format->name_at_end(row.served);
      auto before = joined(format->chunk({0, {{1, "a", -1, false, {}}, {2, "b", -1, false, {}}}, true}));
      auto last = format->finished({0, finish_reason::length, "ab", 2, 99});
      REQUIRE(last.size() == 1);
      CHECK_THAT(before + joined(format->done()), !Catch::Contains("adapter"));
      CHECK(last[0].ends_with((format == formats[0] ? R"("details":null)" : R"("stop_reason":null}])") +
                              row.members + "}"));
    }
  }
}

TEST_CASE("a completion and its chunks have exactly OpenAI's shapes") {
  CHECK(
      completion_reply(identity(), {}, 1, two_tokens()).body ==
      R"({"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"sql","system_fingerprint":"0.1.0-cpu",)"
      R"("choices":[{"index":0,"text":" Hello","logprobs":null,"finish_reason":"stop","stop_reason":null}],)"
      R"("usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})");
  auto format = completion_events(identity(), {usage_chunks::last}, 1);
  format->fields(facts());
  const std::string head =
      R"({"id":"cmpl-1","object":"text_completion","created":1700000000,"model":"sql","system_fingerprint":"0.1.0-cpu",)";
  CHECK(joined(format->chunk({0, {{12, " Hello", -0.4f, false, {}}}})) ==
        head + R"("choices":[{"index":0,"text":" Hello","logprobs":null,"finish_reason":null}]})" + "\n");
  CHECK(format->chunk({0, {{2, "", -0.1f, true, "</s>"}}, true}).empty());
  CHECK(
      joined(format->finished({0, finish_reason::stop_sequence, " Hello", 2, 99})) ==
      head +
          R"("choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"stop","stop_reason":null}]})" +
          "\n");
  CHECK(joined(format->done()) ==
        head + R"("choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}})" +
            "\n[DONE]\n");
}

TEST_CASE("usage is absent unless asked for, and in every chunk when asked for so") {
  auto none = completion_events(identity(), {usage_chunks::none}, 1);
  none->fields(facts());
  CHECK_THAT(joined(none->chunk({0, {{1, "a", -1, false, {}}}})), !Catch::Contains("usage"));
  CHECK(joined(none->done()) == "[DONE]\n");
  auto every = completion_events(identity(), {usage_chunks::every}, 1);
  every->fields(facts());
  CHECK_THAT(joined(every->chunk({0, {{1, "a", -1, false, {}}}})),
             Catch::Contains(R"("usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6})"));
}

TEST_CASE("a failure in a stream is an event; OpenAI's streams end with [DONE] also then") {
  auto why = fail(errc::incomplete, "Incomplete generation");
  CHECK(joined(tgi_events({})->failed(why)) ==
        R"({"error":"Incomplete generation","error_type":"incomplete_generation"})"
        "\n");
  CHECK(
      joined(completion_events(identity(), {usage_chunks::none}, 1)->failed(why)) ==
      R"({"error":{"message":"Incomplete generation","type":"InternalServerError","param":null,"code":500},)"
      R"("error_type":"incomplete_generation"})"
      "\n[DONE]\n");
}

namespace {

generated_token scored(token_id id, std::string text, float logprob, std::uint32_t rank) {
  generated_token out{id, text, logprob, false, {}, text, rank};
  out.top = {{7, "x", "x", -0.25f, false}, {8, "é", "é", -1.5f, false}};
  return out;
}

/// A prompt of two tokens and "né" after it, with alternatives.
collected with_logprobs() {
  collected all;
  all.facts = facts();
  all.facts.prompts = {{{1, "a ", 0, false, {}, "a "}, scored(2, "ü", -3, 9)}};
  collected::choice c;
  c.tokens = {scored(7, "x", -0.25f, 1), scored(9, "é", -2, 3)};
  c.end = {0, finish_reason::stop_sequence, "xé", 2, 99, std::string("é")};
  all.choices.push_back(c);
  return all;
}

}  // namespace

TEST_CASE(
    "logprobs of a completion name tokens, alternatives by text, and where a token begins in code points") {
  auto body = completion_reply(identity(), {.logprobs = true}, 1, with_logprobs()).body;
  CHECK_THAT(
      body,
      Catch::Contains(
          R"("text":"xé","logprobs":{"text_offset":[0,1],"token_logprobs":[-0.25,-2],"tokens":["x","é"],)"
          R"("top_logprobs":[{"x":-0.25,"é":-1.5},{"x":-0.25,"é":-1.5}]},"finish_reason":"stop","stop_reason":"é"})"));
}

TEST_CASE("a generated token has its log-probability also where its rank was not computed") {
  auto all = with_logprobs();
  for (auto& t : all.choices[0].tokens) {
    t.rank = 0;
    t.top.clear();
  }
  CHECK_THAT(completion_reply(identity(), {.logprobs = true}, 1, all).body,
             Catch::Contains(
                 R"("token_logprobs":[-0.25,-2],"tokens":["x","é"],"top_logprobs":[{"x":-0.25},{"é":-2}]})"));
}

TEST_CASE("an echo puts the prompt first, the first of its tokens without a log-probability") {
  auto body = completion_reply(identity(), {.logprobs = true, .echo = true}, 1, with_logprobs()).body;
  CHECK_THAT(body,
             Catch::Contains(
                 R"("text":"a üxé","logprobs":{"text_offset":[0,2,3,4],"token_logprobs":[null,-3,-0.25,-2],)"
                 R"("tokens":["a ","ü","x","é"],"top_logprobs":[null,{"x":-0.25,"é":-1.5,"ü":-3},)"));
  CHECK_THAT(completion_reply(identity(), {.echo = true}, 1, with_logprobs()).body,
             Catch::Contains(R"("text":"a üxé","logprobs":null)"));
}

TEST_CASE("the pieces of a stream join to the logprobs and the echo of the whole") {
  auto all = with_logprobs();
  auto format = completion_events(identity(), {.logprobs = true, .echo = true}, 2);
  format->fields(all.facts);
  auto& tokens = all.choices[0].tokens;
  auto first = format->chunk({0, {tokens[0]}});
  REQUIRE(first.size() == 2);
  CHECK_THAT(first[0],
             Catch::Contains(R"("text":"a ü","logprobs":{"text_offset":[0,2],"token_logprobs":[null,-3])"));
  CHECK_THAT(first[1],
             Catch::Contains(R"("text":"x","logprobs":{"text_offset":[3],"token_logprobs":[-0.25])"));
  auto second = format->chunk({0, {tokens[1]}, true});
  REQUIRE(second.size() == 1);
  CHECK_THAT(second[0], Catch::Contains(R"("logprobs":{"text_offset":[4],"token_logprobs":[-2])"));
  auto end = format->finished(all.choices[0].end);
  REQUIRE(end.size() == 1);
  CHECK_THAT(end[0], Catch::Contains(R"("logprobs":null,"finish_reason":"stop","stop_reason":"é")"));
  // Another choice has its own echo and its own offsets.
  auto other = format->chunk({1, {tokens[0]}});
  REQUIRE(other.size() == 2);
  CHECK_THAT(other[1], Catch::Contains(R"("index":1,"text":"x","logprobs":{"text_offset":[3])"));
}

TEST_CASE("prompt_logprobs are vLLM's: by id, with rank and text, null for the first") {
  auto body = completion_reply(identity(), {.prompt_logprobs = true}, 1, with_logprobs()).body;
  CHECK_THAT(
      body,
      Catch::Contains(
          R"("prompt_logprobs":[null,{"2":{"logprob":-3,"rank":9,"decoded_token":"ü"},)"
          R"("7":{"logprob":-0.25,"rank":1,"decoded_token":"x"},"8":{"logprob":-1.5,"rank":2,"decoded_token":"é"}}])"));
}

TEST_CASE("native replies show alternatives and the log-probabilities of the prompt as TGI does") {
  tgi_wishes wishes;
  wishes.details = true;
  wishes.top_tokens = 2;
  auto body = tgi_reply(wishes, with_logprobs()).body;
  CHECK_THAT(
      body,
      Catch::Contains(R"("prefill":[{"id":1,"text":"a ","logprob":null},{"id":2,"text":"ü","logprob":-3}])"));
  const std::string top = R"([{"id":7,"text":"x","logprob":-0.25,"special":false,"skipped":false},)"
                          R"({"id":8,"text":"é","logprob":-1.5,"special":false,"skipped":false}])";
  CHECK_THAT(body, Catch::Contains(R"("top_tokens":[)" + top + "," + top + "]"));
  auto format = tgi_events(wishes);
  format->fields(facts());
  auto events = format->chunk({0, {scored(7, "x", -0.25f, 1)}});
  REQUIRE(events.size() == 1);
  CHECK_THAT(events[0], Catch::Contains(R"("top_tokens":)" + top + R"(,"generated_text":null)"));
}

TEST_CASE("LoRAX's alternatives stand with each token, as many as were asked for") {
  tgi_wishes wishes;
  wishes.details = true;
  wishes.alternatives = 1;
  const std::string first = R"("skipped":false,"alternative_tokens":[{"id":7,"text":"x","logprob":-0.25}]})";
  auto body = tgi_reply(wishes, with_logprobs()).body;
  CHECK_THAT(body, Catch::Contains(R"({"id":9,"text":"é","logprob":-2,"special":false,)" + first));
  CHECK_THAT(body, !Catch::Contains("top_tokens"));
  auto format = tgi_events(wishes);
  format->fields(facts());
  auto events = format->chunk({0, {scored(7, "x", -0.25f, 1)}});
  REQUIRE(events.size() == 1);
  CHECK_THAT(events[0], Catch::Contains(first) && !Catch::Contains("top_tokens"));
  // Beside TGI's field each has its own number.
  wishes.top_tokens = 2;
  body = tgi_reply(wishes, with_logprobs()).body;
  CHECK_THAT(body, Catch::Contains(first) &&
                       Catch::Contains(R"({"id":8,"text":"é","logprob":-1.5,"special":false)"));
}

TEST_CASE("each choice of a list of prompts shows the echo and the ids of its own prompt") {
  collected all;
  all.facts.prompt_tokens = 2;
  all.facts.prompts = {{{5, "one", 0, false, {}, "one"}}, {{6, "two", 0, false, {}, "two"}}};
  for (std::uint32_t i = 0; i < 4; ++i)
    all.choices.push_back({{{9, "!", 0, false, {}, "!"}}, {i, finish_reason::length, "!", 1, 4}});
  const openai_wishes wishes{.echo = true, .token_ids = true};
  auto body = parse_json(completion_reply(identity(), wishes, 2, all).body);
  REQUIRE(body);
  auto& choices = *body->find("choices")->as_array();
  REQUIRE(choices.size() == 4);
  auto format = completion_events(identity(), wishes, 2);
  format->fields(all.facts);
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string word = i < 2 ? "one" : "two";
    const auto id = i < 2 ? 5 : 6;
    CHECK(*choices[i].find("text")->as_string() == word + "!");
    CHECK(choices[i].find("prompt_token_ids")->as_array()->at(0).number() == id);
    auto pieces = format->chunk({static_cast<std::uint32_t>(i), all.choices[i].tokens});
    REQUIRE(pieces.size() == 2);
    CHECK_THAT(pieces[0], Catch::Contains("\"text\":\"" + word + "\"") &&
                              Catch::Contains("\"prompt_token_ids\":[" + std::to_string(id) + "]"));
    CHECK_THAT(pieces[1], !Catch::Contains("prompt_token_ids") && Catch::Contains("\"token_ids\":[9]"));
  }
}
