#include "net/chat_request.hpp"

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"

using namespace lorica;
using lorica::testing::test_info;

namespace {

result<openai_request> read(const std::string& fields) {
  auto body = parse_json("{" + fields + "}");
  REQUIRE(body);
  return read_chat_request(*body, fields.size(), test_info(), 42);
}

result<openai_request> with(const std::string& fields) {
  return read(R"("messages":[{"role":"user","content":"a"}],)" + fields);
}

const conversation& chat_of(const result<openai_request>& r) {
  REQUIRE(r);
  REQUIRE(r->generation.prompts.size() == 1);
  return *std::get<conversation_ptr>(r->generation.prompts[0]);
}

}  // namespace

TEST_CASE("a chat refuses by name what is wrong or not served") {
  struct expectation {
    std::string fields;
    std::string param;
    std::string text;
  };
  const expectation table[] = {
      {R"("tools":[{"type":"function","function":{"name":"f"}}])", "tools", "not served"},
      {R"("tool_choice":"required")", "tool_choice", "not served"},
      {R"("tool_choice":{"type":"function","function":{"name":"f"}})", "tool_choice", "not served"},
      {R"("functions":[{"name":"f"}])", "functions", "not served"},
      {R"("response_format":{"type":"json_object"})", "response_format", "not served"},
      {R"("guided_json":{})", "", ""},
      {R"("guided_json":{"type":"object"})", "guided_json", "not served"},
      {R"("chat_template":"x")", "chat_template", "not taken from requests"},
      {R"("chat_template_kwargs":[])", "chat_template_kwargs", "must be an object"},
      {R"("continue_final_message":true,"add_generation_prompt":true)", "continue_final_message", "both"},
      {R"("add_special_tokens":true)", "add_special_tokens", "the chat template writes them"},
      {R"("top_logprobs":2)", "top_logprobs", "needs `logprobs`"},
      {R"("logprobs":true,"top_logprobs":21)", "top_logprobs", "<= 20. Given: 21"},
      {R"("logprobs":3)", "logprobs", "boolean"},
      {R"("temperature":-1)", "temperature", "must be positive"},
      {R"("n":0)", "n", "strictly positive"},
      {R"("max_completion_tokens":0)", "max_completion_tokens", "strictly positive"},
      {R"("prompt_logprobs":1,"stream":true)", "prompt_logprobs", "streaming"},
      {R"("reasoning_effort":3)", "reasoning_effort", "must be a string"},
  };
  for (auto& [fields, param, text] : table) {
    INFO(fields);
    auto got = with(fields);
    if (param.empty()) {
      CHECK(got);
      continue;
    }
    REQUIRE_FALSE(got);
    CHECK(got.error().param == param);
    CHECK_THAT(got.error().text, Catch::Contains(text));
  }
  for (auto bad : {R"("model":"x")", R"("messages":null)", R"("messages":"hi")", R"("messages":{})"}) {
    INFO(bad);
    auto got = read(bad);
    REQUIRE_FALSE(got);
    CHECK(got.error().param == "messages");
  }
  for (auto bad : {"[]", "\"x\"", "1", "null"})
    CHECK(read_chat_request(*parse_json(bad), 2, test_info(), 1).error().code == errc::malformed);
}

TEST_CASE("a chat with what clients send unasked is taken") {
  auto got = with(
      R"("model":"base-model","user":"u","tools":null,"tool_choice":"auto","tool_prompt":"x","store":false,)"
      R"("response_format":{"type":"text"},"logit_bias":{},"stop":null,"seed":null,"parallel_tool_calls":true,)"
      R"("metadata":{"a":"b"},"service_tier":"auto","stream":false,"top_logprobs":null,"modalities":["text"])");
  REQUIRE(got);
  CHECK_FALSE(got->generation.max_new_tokens);
  CHECK(got->generation.sampling.sample);
  CHECK(got->model == "base-model");
  CHECK(with(R"("tool_choice":"none","tools":[{"type":"function"}])"));
  CHECK(chat_of(with(R"("tool_choice":"none","tools":[{"type":"function"}])")).tools.is_null());
}

TEST_CASE("what a chat says of its template travels with its messages") {
  auto plain = with(R"("max_tokens":4,"max_completion_tokens":7)");
  CHECK(plain->generation.max_new_tokens == 7u);
  CHECK(chat_of(plain).add_generation_prompt);
  CHECK(chat_of(plain).bytes > 40);
  auto all = with(R"("continue_final_message":true,"documents":[{"text":"d"}],"reasoning_effort":"low",)"
                  R"("chat_template_kwargs":{"enable_thinking":false})");
  auto& chat = chat_of(all);
  CHECK((chat.continue_final_message && !chat.add_generation_prompt));
  CHECK(chat.documents.as_array()->size() == 1);
  CHECK(*chat.variables.find("reasoning_effort")->as_string() == "low");
  CHECK(*chat.variables.find("enable_thinking")->as_bool() == false);
  auto own = with(R"("reasoning_effort":"low","chat_template_kwargs":{"reasoning_effort":"high"})");
  CHECK(*chat_of(own).variables.find("reasoning_effort")->as_string() == "high");
}

TEST_CASE("a chat's echo is the message that the answer belongs to") {
  auto answer = R"("messages":[{"role":"user","content":"q"},{"role":"assistant","content":"It is"}],)";
  CHECK(read(std::string(answer) + R"("echo":true,"continue_final_message":true)")->wishes.echoed == "It is");
  CHECK(read(std::string(answer) + R"("continue_final_message":true)")->wishes.echoed.empty());
  CHECK(with(R"("echo":true)")->wishes.echoed.empty());
}

TEST_CASE("a chat's log-probabilities are a switch and a number") {
  auto all = with(R"("logprobs":true,"top_logprobs":3,"return_token_ids":true,"n":2)");
  CHECK((all->wishes.logprobs && all->wishes.token_ids && all->generation.prompt_tokens_wanted));
  CHECK(all->generation.top_logprobs == 3);
  CHECK(all->generation.choices == 2);
  CHECK_FALSE(with(R"("logprobs":false)")->wishes.logprobs);
}
