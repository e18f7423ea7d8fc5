#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string body = R"({"inputs":"Hey","parameters":{}})";

}  // namespace

TEST_CASE("while draining, running requests end well and new ones get 503 and a closed connection") {
  std::mutex changing;
  std::condition_variable changed;
  bool go = false;
  test_server s([&](fake_run& run) {
    std::unique_lock hold(changing);
    changed.wait_for(hold, 10s, [&] { return go; });
    run.play({"a"});
  });
  raw_client running(s.port());
  running.post("/generate", body);
  REQUIRE(s.generations.wait_started(1));
  CHECK(s.front.active_requests() == 1);
  s.front.drain();
  CHECK_FALSE(s.front.wait_until_idle(0ms));
  for (auto route : {"/generate", "/generate_stream", "/", "/v1/completions"}) {
    auto refused = post(s.port(), route, body);
    CHECK(refused.status == 503);
    CHECK(refused.fields["connection"] == "close");
    CHECK(refused.fields.contains("retry-after"));
  }
  CHECK(get(s.port(), "/health").status == 503);
  CHECK(get(s.port(), "/metrics").status == 200);
  {
    std::lock_guard hold(changing);
    go = true;
  }
  changed.notify_all();
  auto reply = running.read();
  CHECK(reply.status == 200);
  CHECK(reply.fields["connection"] == "close");
  CHECK(running.at_end());
  running.half_close();
  CHECK(s.wait_quiet());
}

TEST_CASE("stop cancels what runs, and what sinks are told afterwards is dropped") {
  std::shared_ptr<response_sink> kept;
  std::mutex changing;
  test_server s([&](fake_run& run) {
    run.start();
    {
      std::lock_guard hold(changing);
      kept = run.sink;
    }
    run.wait_cancelled();
  });
  raw_client client(s.port());
  client.post("/generate_stream", body);
  CHECK(client.read_head().status == 200);
  s.front.stop();
  s.front.stop();
  CHECK(s.generations.wait_cancelled(1));
  std::lock_guard hold(changing);
  REQUIRE(kept);
  kept->chunk({0, {{1, "late", 0, false, {}}}});
  kept->failed(fail(errc::incomplete, "Incomplete generation"));
  CHECK_FALSE(kept->saturated());
  kept.reset();
  CHECK(s.front.active_requests() == 0);
}

TEST_CASE("a server that was never started can be destroyed") {
  fake_generations generations([](fake_run&) {});
  fake_tokens tokens;
  fake_status status;
  metrics counters;
  server s({}, {generations, tokens, status, counters, test_info()});
  CHECK(s.port() == 0);
}
