#include "net/chat_reply.hpp"

#include "tests/catch.hpp"

using namespace lorica;
using Catch::Contains;

namespace {

openai_identity identity() {
  return {"chatcmpl-7", 1, "sql", "f"};
}

generated_token token(token_id id, const std::string& text, float logprob) {
  return {.id = id,
          .text = text,
          .logprob = logprob,
          .special = false,
          .hidden_text = {},
          .bytes = text,
          .rank = 1};
}

collected two_tokens() {
  collected all;
  all.facts.served.model_id = "base";
  all.facts.prompt_tokens = 3;
  all.facts.prompts = {{token(5, "p", 0), token(6, "q", -4)}};
  all.facts.prompts[0][0].rank = 0;
  auto first = token(1, "Hi", -0.5f);
  first.top = {{1, "Hi", "Hi", -0.5f, false}, {9, "\xef\xbf\xbd", "\xc3", -2, false}};
  all.choices = {{{first, token(2, "!", -1)}, {0, finish_reason::eos_token, "Hi!", 2, 4, {}}}};
  return all;
}

std::string head(std::string_view kind) {
  return R"({"id":"chatcmpl-7","object":")" + std::string(kind) +
         R"(","created":1,"model":"sql","system_fingerprint":"f",)";
}

}  // namespace

TEST_CASE("a chat answer has the message, its end and the usage") {
  CHECK(
      chat_reply(identity(), {}, two_tokens()).body ==
      head("chat.completion") +
          R"("choices":[{"index":0,"message":{"role":"assistant","content":"Hi!","refusal":null},"logprobs":null,)"
          R"("finish_reason":"stop","stop_reason":null}],)"
          R"("usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})");
}

TEST_CASE("a chat's log-probabilities tell text, bytes and alternatives of each token") {
  auto body = chat_reply(identity(), {.logprobs = true}, two_tokens()).body;
  CHECK_THAT(
      body,
      Contains(
          R"("logprobs":{"content":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[)"
          R"({"token":"Hi","logprob":-0.5,"bytes":[72,105]},{"token":")"
          "\xef\xbf\xbd"
          R"(","logprob":-2,"bytes":[195]}]},{"token":"!","logprob":-1,"bytes":[33],"top_logprobs":[]}]})"));
  auto more =
      chat_reply(identity(), {.prompt_logprobs = true, .token_ids = true, .echoed = "Oh. "}, two_tokens())
          .body;
  CHECK_THAT(more, Contains(R"("content":"Oh. Hi!")"));
  CHECK_THAT(more, Contains(R"("token_ids":[1,2]})"));
  CHECK_THAT(more, Contains(R"("prompt_logprobs":[null,{"6":)"));
  CHECK_THAT(more, Contains(R"("prompt_token_ids":[5,6]})"));
}

TEST_CASE("a streamed chat tells roles in order, texts, each end once, then usage and [DONE]") {
  auto all = two_tokens();
  auto format = chat_events(identity(), {.usage = usage_chunks::last}, 2);
  format->fields(all.facts);
  // The second choice is the first with a token: the roles come in order all the same.
  auto first = format->chunk({1, {token(1, "Hi", -0.5f)}});
  auto chunk = head("chat.completion.chunk");
  REQUIRE(first.size() == 3);
  CHECK(first[0] ==
        chunk +
            R"("choices":[{"index":0,"delta":{"role":"assistant"},"logprobs":null,"finish_reason":null}]})");
  CHECK_THAT(first[1], Contains(R"("index":1,"delta":{"role":"assistant"})"));
  CHECK(first[2] ==
        chunk + R"("choices":[{"index":1,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]})");
  CHECK(format->chunk({0, {token(3, "", -1)}}).empty());
  auto end = format->finished(all.choices[0].end);
  REQUIRE(end.size() == 1);
  CHECK_THAT(end[0], Contains(R"("delta":{},"logprobs":null,"finish_reason":"stop","stop_reason":null)"));
  auto last = format->done();
  REQUIRE(last.size() == 2);
  CHECK_THAT(last[0],
             Contains(R"("choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5})"));
  CHECK(last[1] == "[DONE]");
  for (auto& event : first)
    CHECK_THAT(event, !Contains("\"usage\"") && !Contains("\"error\""));
}

TEST_CASE("a streamed chat tells log-probabilities and ids with the tokens, its echo once") {
  auto all = two_tokens();
  auto format = chat_events(
      identity(), {.usage = usage_chunks::every, .logprobs = true, .token_ids = true, .echoed = "Oh. "}, 1);
  format->fields(all.facts);
  auto first = format->chunk({0, {all.choices[0].tokens[0]}});
  REQUIRE(first.size() == 3);
  CHECK_THAT(first[0], Contains(R"("prompt_token_ids":[5,6])") && Contains(R"("usage":{"prompt_tokens":3)"));
  CHECK_THAT(first[1], Contains(R"("delta":{"content":"Oh. "},"logprobs":null)"));
  CHECK_THAT(first[2],
             Contains(R"("logprobs":{"content":[{"token":"Hi")") && Contains(R"("token_ids":[1]})"));
  // A token without text of its own is told for its log-probability.
  auto hidden = format->chunk({0, {token(2, "", -1)}, true});
  REQUIRE(hidden.size() == 1);
  CHECK_THAT(hidden[0], Contains(R"("delta":{"content":""},"logprobs":{"content":[{)"));
  auto why = fail(errc::generation_failed, "Request failed during generation: x");
  auto broken = format->failed(why);
  REQUIRE(broken.size() == 2);
  CHECK_THAT(broken[0], Contains(R"({"error":{"message":)"));
  CHECK(broken[1] == "[DONE]");
}
