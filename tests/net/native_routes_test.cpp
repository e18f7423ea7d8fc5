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

const std::string plain_body = R"({"inputs":"Hey","parameters":{"max_new_tokens":2}})";

}  // namespace

TEST_CASE("generate answers with one object and says who served it") {
  test_server s(two_tokens);
  auto reply = post(s.port(), "/generate", plain_body, "X-Request-ID: my.id-1\r\n");
  CHECK(reply.status == 200);
  CHECK(reply.body == R"({"generated_text":" Hello you"})");
  CHECK(reply.fields["content-type"] == "application/json");
  CHECK(reply.fields["x-request-id"] == "my.id-1");
  CHECK(reply.fields["x-model-id"] == "base-model");
  CHECK(reply.fields["x-queue-time"] == "3");
  CHECK(reply.fields["x-time-to-first-token"] == "10");
  CHECK_FALSE(reply.fields.contains("x-adapter-id"));
  CHECK(s.generations.last_request().request_id == "my.id-1");
  auto adapter = post(s.port(), "/generate", R"({"inputs":"Hey","parameters":{"adapter_id":"sql"}})",
                      "X-Request-ID: not fit\r\n");
  CHECK(adapter.fields["x-adapter-id"] == "sql");
  CHECK(adapter.fields["x-adapter-version"] == "ab0000000000");
  CHECK(adapter.fields["x-adapter-tier"] == "device");
  CHECK(adapter.fields["x-adapter-source"] == "hub");
  CHECK(adapter.fields["x-request-id"].size() == 32);
  CHECK(s.generations.last_request().adapters == std::vector<named_adapter>{{"sql"}});
  CHECK(s.wait_quiet());
}

TEST_CASE("the root answers with a list, or streams if the body says so") {
  test_server s(two_tokens);
  CHECK(post(s.port(), "/", plain_body).body == R"([{"generated_text":" Hello you"}])");
  auto stream = post(s.port(), "/", R"({"inputs":"Hey","parameters":{},"stream":true})");
  CHECK(stream.fields["content-type"] == "text/event-stream");
  CHECK(stream.chunks.size() == 2);
  CHECK(s.wait_quiet());
}

TEST_CASE("generate_stream sends an event per write, with the fields of an event stream") {
  test_server s(two_tokens);
  auto reply = post(s.port(), "/generate_stream",
                    R"({"inputs":"Hey","parameters":{"details":true,"adapter_id":"sql"}})");
  CHECK(reply.status == 200);
  CHECK(reply.complete);
  CHECK(reply.fields["content-type"] == "text/event-stream");
  CHECK(reply.fields["cache-control"] == "no-cache");
  CHECK(reply.fields["x-accel-buffering"] == "no");
  CHECK(reply.fields["transfer-encoding"] == "chunked");
  CHECK(reply.fields["x-adapter-id"] == "sql");
  CHECK_FALSE(reply.fields.contains("content-length"));
  REQUIRE(reply.chunks.size() == 2);
  CHECK(
      reply.chunks[0] ==
      "data: "
      R"({"index":1,"token":{"id":1,"text":" Hello","logprob":-0.4,"special":false,"skipped":false},"generated_text":null,"details":null})"
      "\n\n");
  CHECK(
      reply.chunks[1] ==
      "data: "
      R"({"index":2,"token":{"id":2,"text":" you","logprob":-0.4,"special":false,"skipped":false},"generated_text":" Hello you","details":{"finish_reason":"length","generated_tokens":2,"seed":null,"input_length":5,"prompt_tokens":5}})"
      "\n\n");
  CHECK(s.wait_quiet());
}

TEST_CASE("a failure before the first byte has its status on streams too, a later one is an event") {
  test_server s([](fake_run& run) {
    auto& prompt = std::get<std::string>(run.request.prompts.at(0));
    if (prompt == "unknown")
      return run.sink->failed(fail(errc::unknown_adapter, "The model `x` does not exist.", {}, "model"));
    run.start();
    run.token("a");
    run.sink->failed(fail(errc::generation_failed, "Request failed during generation: the step failed"));
  });
  for (auto route : {"/generate", "/generate_stream"}) {
    auto reply = post(s.port(), route, R"({"inputs":"unknown","parameters":{"adapter_id":"x"}})");
    CHECK(reply.status == 404);
    CHECK(reply.fields["content-type"] == "application/json");
    CHECK(reply.fields.contains("content-length"));
    CHECK(reply.body == R"({"error":"The model `x` does not exist.","error_type":"validation"})");
  }
  CHECK(post(s.port(), "/generate", plain_body).status == 424);
  auto stream = post(s.port(), "/generate_stream", plain_body);
  CHECK(stream.status == 200);
  CHECK(stream.complete);
  REQUIRE(stream.chunks.size() == 2);
  CHECK(stream.chunks[1] ==
        "data: {\"error\":\"Request failed during generation: the step "
        "failed\",\"error_type\":\"generation\"}\n\n");
  CHECK(s.wait_quiet());
}

TEST_CASE("a stream whose sink is let go is cut, never ended cleanly") {
  test_server s([](fake_run& run) {
    run.start();
    run.token("a");
  });
  auto reply = post(s.port(), "/generate_stream", plain_body);
  CHECK(reply.status == 200);
  CHECK(reply.chunks.size() == 1);
  CHECK_FALSE(reply.complete);
  CHECK(s.wait_quiet());
}

TEST_CASE("a refused field costs nothing and keeps the connection") {
  test_server s(two_tokens);
  raw_client client(s.port());
  client.post("/generate_stream", R"({"inputs":"a","parameters":{"top_p":1.0}})");
  auto reply = client.read();
  CHECK(reply.status == 422);
  CHECK(reply.body ==
        R"({"error":"Input validation error: `top_p` must be > 0.0 and < 1.0","error_type":"validation"})");
  client.post("/generate", "{\"inputs\":");
  CHECK(client.read().status == 400);
  client.post("/generate", "[]");
  CHECK(client.read().status == 400);
  client.post("/generate", plain_body);
  CHECK(client.read().status == 200);
  CHECK(s.metric("tgi_request_failure{err=\"validation\"} ") == 3);
}

TEST_CASE("decoder_input_details shows the prompt's tokens") {
  test_server s(two_tokens);
  auto reply = post(s.port(), "/generate", R"({"inputs":"Hey","parameters":{"decoder_input_details":true}})");
  CHECK_THAT(reply.body,
             Catch::Contains(
                 R"("prefill":[{"id":7,"text":"He","logprob":null},{"id":8,"text":"y","logprob":null}])"));
}

TEST_CASE("a silent stream gets comments that keep it alive") {
  server_options o;
  o.heartbeat = 20ms;
  test_server s(
      [](fake_run& run) {
        run.start();
        run.wait_cancelled();
      },
      o);
  raw_client client(s.port());
  client.post("/generate_stream", plain_body);
  CHECK(client.read_head().status == 200);
  CHECK(client.read_chunk() == ":\n\n");
  CHECK(client.read_chunk() == ":\n\n");
  client.reset();
  CHECK(s.generations.wait_cancelled(1));
}

TEST_CASE("tokenize gives ids, texts and offsets") {
  test_server s(two_tokens);
  CHECK(post(s.port(), "/tokenize", R"({"inputs":"ab"})").body ==
        R"([{"id":97,"text":"a","start":0,"stop":1},{"id":98,"text":"b","start":1,"stop":2}])");
  CHECK(post(s.port(), "/tokenize", R"({"inputs":""})").status == 422);
  CHECK(post(s.port(), "/tokenize", R"({})").status == 422);
}

TEST_CASE("health follows the snapshot, and info names the limits") {
  test_server s(two_tokens);
  for (auto path : {"/", "/health", "/ping"}) {
    auto reply = get(s.port(), path);
    CHECK(reply.status == 200);
    CHECK(reply.body.empty());
    CHECK(reply.fields["content-length"] == "0");
  }
  const auto text = get(s.port(), "/info").body;
  auto info = parse_json(text);
  REQUIRE(info);
  CHECK(*info->find("model_id")->as_string() == "base-model");
  CHECK(*info->find("max_total_tokens")->as_int() == 1024);
  CHECK_THAT(text,
             Catch::Contains(R"("device_name":null,"device_memory_bytes":null,)"
                             R"("device_memory_taken_bytes":null,"cuda_graphs":null,"deterministic":true)"));
  auto metrics = get(s.port(), "/metrics");
  CHECK(metrics.fields["content-type"] == "text/plain; version=0.0.4");
  CHECK(metrics.body == "lorica_sessions 0\n");
  s.status.now.healthy = false;
  auto sick = get(s.port(), "/health");
  CHECK(sick.status == 503);
  CHECK(sick.body == R"({"error":"unhealthy","error_type":"healthcheck"})");
  CHECK(sick.fields["connection"] == "close");
}

TEST_CASE("info names the device that computes, its memory and its recorded steps") {
  auto described = test_info();
  described.device = "cuda";
  described.accelerator = device_report{"NVIDIA H200", 1000, 900, {1, 2, 4}, false};
  test_server s(two_tokens, {}, described);
  auto info = parse_json(get(s.port(), "/info").body);
  REQUIRE(info);
  CHECK(*info->find("device_name")->as_string() == "NVIDIA H200");
  CHECK(*info->find("device_memory_bytes")->as_int() == 1000);
  CHECK(*info->find("device_memory_taken_bytes")->as_int() == 900);
  CHECK_FALSE(*info->find("deterministic")->as_bool());
  const auto* rows = info->find("cuda_graphs")->as_array();
  REQUIRE(rows);
  REQUIRE(rows->size() == 3);
  CHECK(*rows->back().as_int() == 4);
}

TEST_CASE("requests above the limit get 429 with Retry-After, and the place is free again at the end") {
  server_options o;
  std::mutex changing;
  std::condition_variable changed;
  bool go = false;
  test_server s(
      [&](fake_run& run) {
        std::unique_lock hold(changing);
        changed.wait_for(hold, 10s, [&] { return go; });
        run.play({"a"});
      },
      o);
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int i = 0; i < 128; ++i) {
    clients.push_back(std::make_unique<raw_client>(s.port()));
    clients.back()->post("/generate", plain_body);
  }
  REQUIRE(s.generations.wait_started(128));
  auto native = post(s.port(), "/generate", plain_body);
  CHECK(native.status == 429);
  CHECK(native.body == R"({"error":"Model is overloaded","error_type":"overloaded"})");
  auto wait = std::stoi(native.fields["retry-after"]);
  CHECK((wait >= 1 && wait <= 60));
  auto openai = post(s.port(), "/v1/completions", R"({"prompt":"a"})");
  CHECK(openai.status == 429);
  CHECK_THAT(openai.body, Catch::Contains("rate_limit_error"));
  {
    std::lock_guard hold(changing);
    go = true;
  }
  changed.notify_all();
  for (auto& c : clients)
    CHECK(c->read().status == 200);
  CHECK(post(s.port(), "/generate", plain_body).status == 200);
  clients.clear();
  CHECK(s.wait_quiet());
}
