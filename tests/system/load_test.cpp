// Many clients, some of which leave: everything must come back.
#include <future>
#include <random>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";

/// Reads a stream and leaves after `most` pieces; true when what was read is well-formed.
bool stream_some(std::uint16_t port, int id, int most) {
  http_connection c(port);
  c.request("POST", "/generate_stream",
            R"({"inputs":"client )" + std::to_string(id) + R"(","parameters":{"max_new_tokens":80}})");
  int pieces = 0;
  auto reply = c.read([&](std::string_view) { return ++pieces < most; });
  if (reply.complete) return reply.status == 200;
  if (id % 2) c.reset();
  return reply.status == 200;
}

bool at_rest(const server_process& server) {
  for (auto name : {"lorica_sessions", "lorica_requests_running", "lorica_requests_waiting",
                    "lorica_kv_blocks_used", "lorica_adapter_leases"})
    if (server.metric(name) != 0.0) return false;
  return true;
}

}  // namespace

TEST_CASE("64 streams with random departures give back blocks, leases, sessions and descriptors") {
  server_process server({"--model-id", tiny_model, "--lora-adapters",
                         "one=" LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa/r8-q-v"});
  REQUIRE(stream_some(server.port(), 0, 1'000'000));
  REQUIRE(eventually([&] { return at_rest(server); }));
  auto before = server.descriptors();
  std::mt19937 random(11);
  for (int round = 0; round < 3; ++round) {
    std::vector<std::future<bool>> clients;
    for (int i = 0; i < 64; ++i) {
      int most = random() % 2 ? 1'000'000 : 1 + static_cast<int>(random() % 40);
      clients.push_back(std::async(std::launch::async, stream_some, server.port(), i, most));
    }
    for (auto& c : clients)
      CHECK(c.get());
  }
  CHECK(eventually([&] { return at_rest(server); }));
  CHECK(eventually([&] { return server.descriptors() <= before + 1; }));
}

TEST_CASE("above the limit of concurrent requests the answer is 429 with Retry-After") {
  server_process server({"--model-id", tiny_model, "--max-concurrent-requests", "1"});
  http_connection first(server.port());
  first.request("POST", "/generate_stream", R"({"inputs":"a","parameters":{"max_new_tokens":200}})");
  bool asked = false;
  http_reply second;
  auto reply = first.read([&](std::string_view) {
    if (!asked)
      second =
          exchange(server.port(), "POST", "/generate", R"({"inputs":"b","parameters":{"max_new_tokens":1}})");
    asked = true;
    return true;
  });
  CHECK(reply.complete);
  CHECK(second.status == 429);
  CHECK(second.headers.contains("retry-after"));
  CHECK(eventually([&] {
    return exchange(server.port(), "POST", "/generate", R"({"inputs":"b","parameters":{"max_new_tokens":1}})")
               .status == 200;
  }));
}

TEST_CASE("a client that leaves a plain request ends its generation") {
  auto model = default_model();
  if (!model) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  server_process server({"--model-id", *model});
  http_connection client(server.port());
  client.request(
      "POST", "/generate",
      R"({"inputs":"Count: 1, 2, 3,","parameters":{"max_new_tokens":8000,"repetition_penalty":1.01}})");
  REQUIRE(eventually([&] { return server.metric("lorica_requests_running") == 1.0; }));
  client.reset();
  // Thousands of tokens would take far longer than this.
  CHECK(eventually([&] { return at_rest(server); }, std::chrono::seconds(5)));
}
