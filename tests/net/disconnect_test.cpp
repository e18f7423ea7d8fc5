// Clients that leave, read slowly or come in crowds: nothing may be left behind.
#include <random>
#include <thread>

#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string body = R"({"inputs":"Hey","parameters":{}})";

/// Tokens until the client leaves, at the pace of the reader.
void endless(fake_run& run) {
  run.start();
  while (!run.cancelled()) {
    if (run.sink->saturated())
      run.wait_resumed();
    else
      run.token("token");
  }
}

/// As a real service: nothing until cancelled.
void silent(fake_run& run) {
  run.wait_cancelled();
  run.sink->failed(fail(errc::cancelled, "Cancelled by the client"));
}

}  // namespace

TEST_CASE("a reset ends an endless stream, a silent stream and a plain request at once") {
  server_options o;
  o.half_close_grace = 60'000ms;
  test_server s(
      [](fake_run& run) {
        if (std::get<std::string>(run.request.prompts.at(0)) == "silent") return silent(run);
        endless(run);
      },
      o);
  const std::string quiet = R"({"inputs":"silent","parameters":{}})";
  raw_client stream(s.port()), silent_stream(s.port()), plain(s.port());
  stream.post("/generate_stream", body);
  silent_stream.post("/generate_stream", quiet);
  plain.post("/generate", quiet);
  REQUIRE(s.generations.wait_started(3));
  CHECK(stream.read_head().status == 200);
  CHECK_FALSE(stream.read_chunk().empty());
  stream.reset();
  silent_stream.reset();
  plain.reset();
  CHECK(s.generations.wait_cancelled(3));
  CHECK(s.wait_quiet());
}

TEST_CASE("a closed stream is noticed though nothing is sent, by the comment that finds nobody") {
  test_server s([](fake_run& run) {
    run.start();
    run.wait_cancelled();
  });
  {
    raw_client client(s.port());
    client.post("/generate_stream", body);
    CHECK(client.read_head().status == 200);
  }
  CHECK(s.generations.wait_cancelled(1));
  CHECK(s.wait_quiet());
}

TEST_CASE("a stream to a client that has only finished sending goes on to its end") {
  std::mutex changing;
  std::condition_variable changed;
  bool go = false;
  test_server s([&](fake_run& run) {
    run.start();
    std::unique_lock hold(changing);
    changed.wait_for(hold, 10s, [&] { return go; });
    run.token("a", true);
    run.sink->finished({0, finish_reason::length, "a", 1, 0});
    run.sink->done({});
  });
  raw_client client(s.port());
  client.post("/generate_stream", body);
  CHECK(client.read_head().status == 200);
  client.half_close();
  CHECK(client.read_chunk() == ":\n\n");
  {
    std::lock_guard hold(changing);
    go = true;
  }
  changed.notify_all();
  CHECK_THAT(client.read_chunk(), Catch::Contains("\"generated_text\":\"a\""));
  CHECK(client.read_chunk().empty());
  CHECK(s.wait_quiet());
}

TEST_CASE("a plain request of a closed client is cancelled after its grace") {
  server_options o;
  o.half_close_grace = 30ms;
  test_server s(silent, o);
  {
    raw_client client(s.port());
    client.post("/generate", body);
    REQUIRE(s.generations.wait_started(1));
  }
  CHECK(s.generations.wait_cancelled(1));
  CHECK(s.wait_quiet());
  CHECK(s.metric(R"(lorica_http_requests_total{route="/generate",status="499"} )") == 1);
}

TEST_CASE("a slow reader stops its generation at the bound and lets it go on when it reads") {
  server_options o;
  o.output_limit = 16 * 1024;
  std::atomic<int> pauses{0};
  constexpr int tokens = 10'000;
  test_server s(
      [&](fake_run& run) {
        run.start();
        for (int i = 0; i < tokens && !run.cancelled(); ++i) {
          if (run.sink->saturated()) {
            ++pauses;
            run.wait_resumed();
          }
          run.token("token", i + 1 == tokens);
        }
        run.sink->finished({0, finish_reason::length, "all", tokens, 0});
        run.sink->done({});
      },
      o);
  raw_client client(s.port(), 4096);
  client.post("/generate_stream", body);
  CHECK(client.read_head().status == 200);
  REQUIRE(eventually([&] { return pauses > 0; }));
  int events = 0;
  while (!client.read_chunk().empty())
    ++events;
  CHECK(events == tokens);
  client.half_close();
  CHECK(client.at_end());
  CHECK(s.wait_quiet());
}

TEST_CASE("a reader that stops reading is cut at the write deadline and its generation cancelled") {
  server_options o;
  o.output_limit = 4 * 1024;
  o.write_timeout = 50ms;
  test_server s(endless, o);
  raw_client client(s.port(), 4096);
  client.post("/generate_stream", body);
  CHECK(s.generations.wait_cancelled(1));
  CHECK(s.wait_quiet());
}

TEST_CASE("64 streams at once with random ends leave no connection, permit or sink behind") {
  constexpr unsigned seed = 411;
  INFO("seed " << seed);
  test_server s([](fake_run& run) {
    if (std::get<std::string>(run.request.prompts.at(0)) == "short")
      return run.play(std::vector<std::string>(20, "ab"));
    endless(run);
  });
  std::vector<std::thread> threads;
  std::atomic<int> whole{0}, expected{0};
  for (unsigned t = 0; t < 64; ++t)
    threads.emplace_back([&, t] {
      std::mt19937 random(seed + t);
      for (int round = 0; round < 4; ++round) {
        bool finite = random() % 3 == 0;
        raw_client client(s.port());
        client.post("/generate_stream", finite ? R"({"inputs":"short","parameters":{}})" : body);
        if (finite) {
          ++expected;
          auto reply = client.read();
          whole += reply.complete && reply.chunks.size() == 20;
          continue;
        }
        auto events = random() % 30;
        if (client.read_head().status != 200) continue;
        for (unsigned i = 0; i < events; ++i)
          client.read_chunk();
        if (random() % 2) client.reset();
      }
    });
  for (auto& t : threads)
    t.join();
  CHECK(whole == expected);
  CHECK(s.generations.wait_ended(256));
  CHECK(s.wait_quiet());
  CHECK(s.front.active_requests() == 0);
}
