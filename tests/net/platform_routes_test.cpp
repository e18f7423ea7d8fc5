// The routes that platforms call: SageMaker's /invocations, Vertex AI's /vertex and the paths it chooses.
#include <map>
#include <mutex>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/gate.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

std::string prompt_of(const fake_run& run) {
  auto text = std::get_if<std::string>(&run.request.prompts.at(0));
  return text ? *text : std::string("chat");
}

/// Answers with the prompt and what else a test looks for.
void echo(fake_run& run) {
  std::string adapter("|"), most("|");
  adapter.append(run.request.adapters.empty() ? "base" : run.request.adapters[0].name);
  most.append(std::to_string(run.request.max_new_tokens.value_or(0)));
  run.play({prompt_of(run), adapter, most});
}

const std::string two_instances =
    R"({"instances":[{"inputs":"one","parameters":{"adapter_id":"sql","max_new_tokens":7}},{"inputs":"two"}]})";

}  // namespace

TEST_CASE("instances run side by side with parameters of their own and answer in order") {
  gate both;
  std::mutex changing;
  int running = 0;
  test_server s([&](fake_run& run) {
    {
      std::lock_guard hold(changing);
      if (++running == 2) both.open();
    }
    both.wait();
    echo(run);
  });
  auto reply = post(s.port(), "/vertex", two_instances);
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"predictions":["one|sql|7","two|base|0"]})");
  CHECK(reply.fields["x-adapter-id"] == "sql");
  CHECK(reply.fields["x-model-id"] == "base-model");
  CHECK(running == 2);
  CHECK(s.wait_quiet());
  auto full =
      post(s.port(), "/vertex", R"({"instances":[{"inputs":"a","parameters":{"return_full_text":true}}]})");
  CHECK(full.body == R"({"predictions":["aa|base|0"]})");
}

TEST_CASE("an instance with messages is a chat of the adapter that its model names") {
  test_server s(echo);
  const std::string talk = R"("messages":[{"role":"user","content":"a"}])";
  auto reply = post(s.port(), "/vertex",
                    R"({"instances":[{)" + talk + R"(,"model":"sql","max_tokens":5,"stream":true},)" +
                        R"({"inputs":"one"},{)" + talk + R"(,"max_completion_tokens":6},)" +
                        R"({"inputs":"first",)" + talk + "}]}");
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"predictions":["chat|sql|5","one|base|0","chat|base|6","first|base|0"]})");
  CHECK(reply.fields["x-adapter-id"] == "sql");
  auto echoed = post(
      s.port(), "/vertex",
      R"({"instances":[{"messages":[{"role":"assistant","content":"so "}],"echo":true,"continue_final_message":true}]})");
  CHECK(echoed.body == R"({"predictions":["so chat|base|0"]})");
  CHECK(s.wait_quiet());
}

TEST_CASE("what is wrong with an instance is said with its place, and costs nothing") {
  test_server s(echo);
  struct expectation {
    std::string body;
    int status;
    std::string text;
  };
  const std::string needed =
      "Input validation error: `instances` must be a list of at least one object with `inputs` or `messages`";
  const expectation table[] = {
      {"[]", 400, "The body must be a JSON object"},
      {"{}", 422, needed},
      {R"({"instances":{}})", 422, needed},
      {R"({"instances":[]})", 422, needed},
      {R"({"instances":[{"inputs":"a"},5]})", 422,
       "Input validation error: an instance must be an object with `inputs` or `messages`. Given: number "
       "(instances[1])"},
      {R"({"instances":[{"inputs":"a"},{"inputs":"a","parameters":{"top_p":1}}]})", 422,
       "Input validation error: `top_p` must be > 0.0 and < 1.0 (instances[1])"},
      {R"({"instances":[{"messages":5}]})", 422,
       "Input validation error: `messages` must be a list of objects (instances[0])"},
      {R"({"instances":[{"inputs":"a"},{"messages":[],"n":2}]})", 422,
       "Input validation error: `n` must be 1: a prediction is one text (instances[1])"},
      {R"({"instances":[{"inputs":null}]})", 422,
       "Input validation error: `inputs` is missing; it must be a string (instances[0])"},
      {R"({"instances":[{},{},{},{},{}]})", 422,
       "Input validation error: `instances` takes up to 4 instances. Given: 5"},
  };
  for (auto& row : table) {
    INFO(row.body);
    auto reply = post(s.port(), "/vertex", row.body);
    CHECK(reply.status == row.status);
    auto json = parse_json(reply.body);
    REQUIRE(json);
    CHECK(*json->find("error")->as_string() == row.text);
    CHECK(*json->find("error_type")->as_string() == "validation");
  }
  CHECK(s.wait_quiet());
  CHECK(s.metric("tgi_request_failure{err=\"validation\"} ") == std::size(table));
}

TEST_CASE("one instance that fails ends the others and is the answer") {
  test_server s([](fake_run& run) {
    if (prompt_of(run) == "one") {
      run.start();
      run.wait_cancelled();
      return run.sink->failed(fail(errc::cancelled, "Cancelled"));
    }
    run.sink->failed(fail(errc::unknown_adapter, "The model `x` does not exist.", {}, "model"));
  });
  auto reply = post(s.port(), "/vertex", two_instances);
  CHECK(reply.status == 404);
  CHECK(reply.body == R"({"error":"The model `x` does not exist.","error_type":"validation"})");
  CHECK(s.generations.wait_cancelled(1));
  CHECK(s.wait_quiet());
}

TEST_CASE("an instance that ends without a word fails the answer; a client that leaves ends all") {
  test_server s([](fake_run& run) {
    if (prompt_of(run) == "two") return;
    run.wait_cancelled();
  });
  CHECK(post(s.port(), "/vertex", two_instances).status == 500);
  CHECK(s.wait_quiet());
  test_server waiting([](fake_run& run) { run.wait_cancelled(); });
  {
    raw_client client(waiting.port());
    client.post("/vertex", two_instances);
    REQUIRE(waiting.generations.wait_started(2));
    client.reset();
  }
  CHECK(waiting.generations.wait_cancelled(2));
  CHECK(waiting.wait_quiet());
}

TEST_CASE("paths that the platform chooses mean the same as the table's, with the same rights") {
  server_options o;
  auto extra = extra_routes::make("/v1/endpoints/7:predict", "/v1/endpoints/7");
  REQUIRE(extra);
  o.extra = *extra;
  test_server s(echo, o);
  CHECK(post(s.port(), "/v1/endpoints/7:predict", two_instances).body ==
        R"({"predictions":["one|sql|7","two|base|0"]})");
  CHECK(get(s.port(), "/v1/endpoints/7").status == 200);
  // The words of the route that is meant, not of the path's beginning.
  CHECK(post(s.port(), "/v1/endpoints/7:predict", "{}").body.starts_with(R"({"error":"Input)"));
  auto wrong = get(s.port(), "/v1/endpoints/7:predict");
  CHECK(wrong.status == 405);
  CHECK(wrong.fields["allow"] == "POST, OPTIONS");
  CHECK(get(s.port(), "/v1/endpoints/8").status == 404);
  CHECK(s.wait_quiet());
  CHECK(s.metric("lorica_http_requests_total{route=\"/vertex\",status=\"200\"} ") == 1);
  s.status.now.healthy = false;
  CHECK(get(s.port(), "/v1/endpoints/7").status == 503);
}

TEST_CASE("a path of the platform is a path, and nobody else's") {
  for (std::string bad : {"predict", "/a b", "/a?b", "/{id}", "/a%20b", "/caf\xc3\xa9", "/a\nb"}) {
    INFO(bad);
    auto refused = extra_routes::make(bad, "");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::bad_config);
    CHECK_THAT(refused.error().text, Catch::StartsWith("--predict-route: '"));
    CHECK_FALSE(extra_routes::make("", bad));
  }
  for (auto taken : {"/generate", "/metrics", "/v1/models", "/v1/models/x", "/", "/health"})
    CHECK_FALSE(extra_routes::make(taken, ""));
  for (auto taken : {"/info", "/vertex", "/v1/adapters/x"})
    CHECK_FALSE(extra_routes::make("", taken));
  CHECK_FALSE(extra_routes::make("/same", "/same"));
  CHECK_FALSE(extra_routes::make("/" + std::string(1024, 'a'), ""));
  for (auto health : {"/", "/health", "/ping", "", "/live"})
    CHECK(extra_routes::make("/vertex", health));
  auto extra = *extra_routes::make("/predict", "/live");
  CHECK(extra.meant("/predict") == "/vertex");
  CHECK(extra.meant("/live") == "/health");
  CHECK(extra.meant("/predict/") == "/predict/");
  CHECK(extra.meant("/generate") == "/generate");
  CHECK(extra_routes().meant("") == "");
}

TEST_CASE("invocations take the body's shape for the route that is meant") {
  test_server s(echo);
  auto native = post(s.port(), "/invocations",
                     R"({"inputs":"a","parameters":{"adapter_id":"sql","max_new_tokens":3}})");
  CHECK(native.status == 200);
  CHECK(native.body == R"([{"generated_text":"a|sql|3"}])");
  auto stream = post(s.port(), "/invocations", R"({"inputs":"a","stream":true})");
  CHECK(stream.fields["content-type"] == "text/event-stream");
  CHECK_THAT(stream.body, Catch::Contains(R"("generated_text":"a|base|0")") && !Catch::Contains("[DONE]"));
  auto completion = post(s.port(), "/invocations", R"({"prompt":"a","model":"sql","max_tokens":5})");
  CHECK_THAT(completion.body, Catch::Contains(R"("object":"text_completion")") && Catch::Contains("a|sql|5"));
  auto chunks = post(s.port(), "/invocations", R"({"prompt":"a","stream":true})");
  CHECK_THAT(chunks.body, Catch::Contains("data: [DONE]"));
  // The first shape that fits, in TGI's order.
  CHECK_THAT(post(s.port(), "/invocations", R"({"prompt":"p","inputs":"i"})").body,
             Catch::Contains("i|base"));
  auto chat =
      post(s.port(), "/invocations",
           R"({"messages":[{"role":"user","content":"a"}],"prompt":"p","model":"sql","max_tokens":5})");
  CHECK_THAT(chat.body, Catch::Contains(R"("object":"chat.completion")") && Catch::Contains("chat|sql|5"));
  for (auto body : {"{}", R"({"inputs":null})", R"({"text":"a"})"}) {
    auto none = post(s.port(), "/invocations", body);
    CHECK(none.status == 422);
    CHECK(
        none.body ==
        R"({"error":"Input validation error: the body must have `inputs`, `messages` or `prompt`","error_type":"validation"})");
  }
  CHECK(post(s.port(), "/invocations", "[1]").status == 400);
  CHECK(post(s.port(), "/invocations", "{").status == 400);
  CHECK(s.wait_quiet());
}

TEST_CASE("each reply says where the base answered for a name that nobody has") {
  test_server s([](fake_run& run) {
    generation_started facts;
    facts.served = {"base-model", {}, true};
    run.sink->started(std::move(facts));
    run.sink->chunk({0, {{1, "a", -1, false, {}}}, true});
    run.sink->finished({0, finish_reason::length, "a", 1, 0});
    run.sink->done({});
  });
  const std::string one = R"({"inputs":"a","parameters":{"adapter_id":"nobody"}})";
  for (auto& [path, body] : std::map<std::string, std::string>{
           {"/generate", one},
           {"/generate_stream", one},
           {"/", one},
           {"/invocations", one},
           {"/vertex", R"({"instances":[)" + one + "]}"},
           {"/v1/completions", R"({"model":"nobody","prompt":"a","stream":true})"}}) {
    INFO(path);
    auto reply = post(s.port(), path, body);
    CHECK(reply.status == 200);
    CHECK(reply.fields["x-adapter-fallback"] == "base");
    for (auto field : {"x-adapter-id", "x-adapter-version", "x-adapter-tier", "x-adapter-source"})
      CHECK_FALSE(reply.fields.contains(field));
  }
}
