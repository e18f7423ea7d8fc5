#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

void two_tokens(fake_run& run) {
  run.play({" Hello", " you"});
}

value json_of(const std::string& text) {
  auto out = parse_json(text);
  REQUIRE(out);
  return *std::move(out);
}

adapter_status adapter(const std::string& name, const std::string& state) {
  adapter_status out;
  out.name = name;
  out.state = state;
  return out;
}

}  // namespace

TEST_CASE("a completion names the model as asked for and counts tokens") {
  test_server s(two_tokens);
  auto reply = post(s.port(), "/v1/completions", R"({"model":"sql","prompt":"Hey","temperature":0})");
  CHECK(reply.status == 200);
  auto json = json_of(reply.body);
  CHECK(*json.find("model")->as_string() == "sql");
  CHECK(json.find("id")->as_string()->starts_with("cmpl-"));
  CHECK(*json.find("choices")->as_array()->front().find("text")->as_string() == " Hello you");
  CHECK(*json.find("usage")->find("total_tokens")->as_int() == 7);
  CHECK(reply.fields["x-adapter-id"] == "sql");
  auto request = s.generations.last_request();
  CHECK(request.adapters == std::vector<named_adapter>{{"sql"}});
  CHECK_FALSE(request.sampling.sample);
  CHECK(request.max_new_tokens == 16u);
}

TEST_CASE("chunks of a stream have one id, one time and one model, and end with usage and [DONE]") {
  test_server s(two_tokens);
  auto reply = post(s.port(), "/v1/completions",
                    R"({"prompt":"Hey","stream":true,"stream_options":{"include_usage":true}})");
  CHECK(reply.complete);
  REQUIRE(reply.chunks.size() == 5);
  CHECK(reply.chunks.back() == "data: [DONE]\n\n");
  std::string id;
  for (std::size_t i = 0; i < 4; ++i) {
    REQUIRE(reply.chunks[i].starts_with("data: {"));
    auto json = json_of(reply.chunks[i].substr(6));
    if (i == 0) id = *json.find("id")->as_string();
    CHECK(*json.find("id")->as_string() == id);
    CHECK(*json.find("model")->as_string() == "base-model");
    CHECK_FALSE(json.find("error"));
    CHECK((json.find("usage") != nullptr) == (i == 3));
  }
}

TEST_CASE("errors are OpenAI's objects, also for what does not exist") {
  test_server s([](fake_run& run) {
    run.sink->failed(fail(errc::unknown_adapter, "The model `nobody` does not exist.", {}, "model"));
  });
  auto reply = post(s.port(), "/v1/completions", R"({"model":"nobody","prompt":"a","stream":true})");
  CHECK(reply.status == 404);
  CHECK(
      reply.body ==
      R"({"error":{"message":"The model `nobody` does not exist.","type":"NotFoundError","param":"model","code":404},)"
      R"("error_type":"validation"})");
  auto bad = post(s.port(), "/v1/completions", R"({"prompt":"a","logprobs":21})");
  CHECK(bad.status == 400);
  CHECK_THAT(bad.body, Catch::Contains(R"("type":"BadRequestError","param":"logprobs","code":400)"));
  auto route = get(s.port(), "/v1/nothing");
  CHECK(route.status == 404);
  CHECK_THAT(route.body, Catch::Contains(R"("type":"NotFoundError")"));
}

TEST_CASE("models lists the base first, then the adapters that are ready, with their parent") {
  test_server s(two_tokens);
  s.status.now.adapters = {adapter("sql", "ready"), adapter("org/name", "ready"),
                           adapter("broken", "failed")};
  auto json = json_of(get(s.port(), "/v1/models").body);
  auto& data = *json.find("data")->as_array();
  REQUIRE(data.size() == 4);
  CHECK(*data[0].find("id")->as_string() == "base-model");
  CHECK_FALSE(data[0].find("parent"));
  CHECK(*data[0].find("max_model_len")->as_int() == 1024);
  CHECK(*data[1].find("id")->as_string() == "alias");
  CHECK(*data[2].find("id")->as_string() == "sql");
  CHECK(*data[2].find("parent")->as_string() == "base-model");
  CHECK(*json_of(get(s.port(), "/v1/models/org%2Fname").body).find("id")->as_string() == "org/name");
  CHECK(*json_of(get(s.port(), "/v1/models/org/name").body).find("id")->as_string() == "org/name");
  CHECK(get(s.port(), "/v1/models/base-model").status == 200);
  CHECK(get(s.port(), "/v1/models/broken").status == 404);
  CHECK_THAT(get(s.port(), "/v1/models/nobody").body, Catch::Contains("The model `nobody` does not exist."));
}
