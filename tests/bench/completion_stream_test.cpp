#include "bench/completion_stream.hpp"

#include "tests/catch.hpp"

using namespace lorica::bench;
using namespace std::chrono_literals;

namespace {

struct reading {
  request_outcome out = {};
  completion_stream::clock::time_point start = {};
  completion_stream stream{out, start, true};

  void at(std::chrono::milliseconds when, std::string_view line) { stream.line(line, start + when); }
};

}  // namespace

TEST_CASE("vLLM's stream: the finish reason is told with the last token, usage by itself") {
  reading r;
  r.at(30ms, R"(data: {"choices":[{"text":"a","finish_reason":null}]})");
  r.at(30ms, "");
  r.at(50ms, R"(data: {"choices":[{"text":"","finish_reason":null}]})");
  r.at(90ms, R"(data: {"choices":[{"text":"b","finish_reason":"length"}]})");
  r.at(95ms, R"(data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}})");
  r.at(95ms, "data: [DONE]");
  r.stream.end();
  CHECK(r.out.success);
  CHECK(r.out.ttft == Approx(0.03));
  REQUIRE(r.out.itl.size() == 2);
  CHECK(r.out.itl[0] == Approx(0.02));
  CHECK(r.out.itl[1] == Approx(0.04));
  CHECK(r.out.latency == Approx(0.09));
  CHECK(r.out.prompt == 7);
  CHECK(r.out.output == 3);
  CHECK(r.out.text == "ab");
}

TEST_CASE("llama-server's stream: an event of its own ends it and is no token") {
  reading r;
  r.at(10ms, R"(data: {"choices":[{"text":"a","index":0,"finish_reason":null}]})");
  r.at(20ms, R"(data: {"choices":[{"text":"b","index":0,"finish_reason":null}]})");
  r.at(21ms, R"(data: {"choices":[{"text":"","index":0,"finish_reason":"length"}]})");
  r.stream.end();
  CHECK(r.out.success);
  REQUIRE(r.out.itl.size() == 1);
  CHECK(r.out.itl[0] == Approx(0.01));
  CHECK(r.out.latency == Approx(0.021));
  CHECK(r.out.output == 2);  // counted, since nothing told it
}

TEST_CASE("comments and other fields of the stream are passed over") {
  reading r;
  r.at(5ms, ": ping");
  r.at(6ms, "event: message");
  r.at(10ms, R"(data:{"choices":[{"text":"a","finish_reason":"stop"}]})");
  r.stream.end();
  CHECK(r.out.success);
  CHECK(r.out.ttft == Approx(0.01));
}

TEST_CASE("a stream that tells an error, breaks the format or brings nothing has failed") {
  reading told;
  told.at(1ms, R"(data: {"choices":[{"text":"a","finish_reason":null}]})");
  told.at(2ms, R"(data: {"error":{"message":"too much","code":500}})");
  told.at(3ms, R"(data: {"choices":[{"text":"b","finish_reason":null}]})");
  told.stream.end();
  CHECK_FALSE(told.out.success);
  CHECK(told.out.error == "too much");
  CHECK(told.out.itl.empty());

  reading broken;
  broken.at(1ms, "data: {");
  broken.stream.end();
  CHECK(broken.out.error == "an event of the stream is not JSON");

  reading nothing;
  nothing.at(1ms, R"(data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":0}})");
  nothing.stream.end();
  CHECK_FALSE(nothing.out.success);
}
