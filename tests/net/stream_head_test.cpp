// A stream whose first token is long in coming: its head goes out, comments keep it alive, and whatever comes
// then is an event.
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/gate.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string body = R"({"inputs":"Hey","parameters":{"adapter_id":"sql"}})";
const std::string completion = R"({"model":"sql","prompt":"Hey","stream":true})";

server_options impatient() {
  server_options o;
  o.stream_patience = 30ms;
  return o;
}

}  // namespace

TEST_CASE("a stream that is long in coming gets its head and a comment, then its tokens") {
  gate go;
  test_server s(
      [&](fake_run& run) {
        go.wait();
        run.play({"a", "b"});
      },
      impatient());
  raw_client client(s.port());
  client.post("/generate_stream", body);
  auto head = client.read_head();
  CHECK(head.status == 200);
  CHECK(head.fields["content-type"] == "text/event-stream");
  CHECK(head.fields["cache-control"] == "no-cache");
  CHECK(head.fields["x-accel-buffering"] == "no");
  CHECK(head.fields["transfer-encoding"] == "chunked");
  CHECK_FALSE(head.fields.contains("x-adapter-id"));
  CHECK(head.fields["x-compute-type"] == "cpu");
  CHECK(head.fields["x-compute-characters"] == "3");
  CHECK(head.fields["x-model-id"] == "base-model");
  CHECK(client.read_chunk() == ":\n\n");
  go.open();
  CHECK_THAT(client.read_chunk(), Catch::Contains(R"("text":"a")"));
  CHECK_THAT(client.read_chunk(),
             Catch::Contains(R"("generated_text":"ab","details":null,"adapter":{"id":"sql",)"
                             R"("version":"ab0000000000","tier":"device"}})"));
  CHECK(client.read_chunk().empty());
  client.get("/health");
  CHECK(client.read().status == 200);
}

TEST_CASE("the chunk with the finish reason names the adapter where the head could not") {
  gate go;
  test_server s(
      [&](fake_run& run) {
        go.wait();
        run.play({"a"});
      },
      impatient());
  raw_client client(s.port());
  client.post("/v1/completions", completion);
  CHECK_FALSE(client.read_head().fields.contains("x-adapter-id"));
  CHECK(client.read_chunk() == ":\n\n");
  go.open();
  CHECK_THAT(client.read_chunk(), Catch::Contains(R"("text":"a")") && !Catch::Contains("adapter"));
  CHECK_THAT(client.read_chunk(),
             Catch::Contains(R"("finish_reason":"length")") &&
                 Catch::Contains(R"("adapter":{"id":"sql","version":"ab0000000000","tier":"device"}})"));
  CHECK(client.read_chunk() == "data: [DONE]\n\n");
}

TEST_CASE("a head in time says it all, and no event does") {
  test_server s([](fake_run& run) { run.play({"a", "b"}); });
  auto native = post(s.port(), "/generate_stream", body);
  CHECK(native.fields["x-adapter-id"] == "sql");
  CHECK(native.fields["x-prompt-tokens"] == "5");
  CHECK_THAT(native.body, !Catch::Contains("adapter"));
  auto openai = post(s.port(), "/v1/completions", completion);
  CHECK(openai.fields["x-adapter-id"] == "sql");
  CHECK(openai.fields["x-prompt-tokens"] == "5");
  CHECK(openai.fields["x-compute-type"] == "cpu");
  CHECK_THAT(openai.body, !Catch::Contains("adapter"));
}

TEST_CASE("a failure behind an early head is an event and never a second head") {
  gate go;
  test_server s(
      [&](fake_run& run) {
        go.wait();
        run.sink->failed(fail(errc::unknown_adapter, "There is no adapter 'sql'"));
      },
      impatient());
  raw_client native(s.port()), openai(s.port());
  native.post("/generate_stream", body);
  openai.post("/v1/completions", completion);
  CHECK(native.read_head().status == 200);
  CHECK(openai.read_head().status == 200);
  CHECK(native.read_chunk() == ":\n\n");
  CHECK(openai.read_chunk() == ":\n\n");
  go.open();
  CHECK_THAT(native.read_chunk(), Catch::StartsWith("data: {\"error\":\"There is no adapter 'sql'\""));
  CHECK(native.read_chunk().empty());
  CHECK_THAT(openai.read_chunk(), Catch::StartsWith("data: {\"error\":{"));
  CHECK(openai.read_chunk() == "data: [DONE]\n\n");
  CHECK(openai.read_chunk().empty());
  CHECK(get(s.port(), "/health").status == 200);
}

TEST_CASE("a failure in time is a plain refusal with its status") {
  test_server s(
      [&](fake_run& run) { run.sink->failed(fail(errc::unknown_adapter, "There is no adapter 'sql'")); });
  auto reply = post(s.port(), "/generate_stream", body);
  CHECK(reply.status == 404);
  CHECK(reply.fields["content-type"] == "application/json");
}

TEST_CASE("a client that leaves behind an early head is noticed") {
  test_server s([](fake_run& run) { run.wait_cancelled(); }, impatient());
  {
    raw_client client(s.port());
    client.post("/generate_stream", body);
    CHECK(client.read_head().status == 200);
  }
  CHECK(s.generations.wait_cancelled(1));
  CHECK(s.wait_quiet());
}
