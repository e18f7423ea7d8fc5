// Many clients, some of which leave: everything must come back.
#include <future>
#include <optional>
#include <random>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";

/// Reads a stream, two of three by the adapter, and leaves after `most` pieces; true when what was read is
/// well-formed.
bool stream_some(std::uint16_t port, int id, int most) {
  http_connection c(port);
  std::string adapter = id % 3 ? R"("adapter_id":"one",)" : "";
  c.request("POST", "/generate_stream",
            R"({"inputs":"client )" + std::to_string(id) + R"(","parameters":{)" + adapter +
                R"("max_new_tokens":80}})");
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
  CHECK(server.stop() == "");
}

TEST_CASE("above the limit of concurrent requests the answer is 429 with Retry-After") {
  server_process server({"--model-id", tiny_model, "--max-concurrent-requests", "1"});
  auto ask = [&] {
    return exchange(server.port(), "POST", "/generate",
                    R"({"inputs":"a","parameters":{"max_new_tokens":400,"ignore_eos_token":true}})");
  };
  std::optional<http_reply> refused;
  // Two at once, until they meet inside the server.
  CHECK(eventually([&] {
    auto other = std::async(std::launch::async, ask);
    for (auto& reply : {ask(), other.get()})
      if (reply.status == 429) refused = reply;
    return refused.has_value();
  }));
  REQUIRE(refused);
  CHECK(refused->headers.contains("retry-after"));
  CHECK(eventually([&] { return ask().status == 200; }));
  CHECK(server.stop() == "");
}

TEST_CASE("a client that leaves a plain request ends its generation", "[model]") {
  auto model = default_model();
  if (!model) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  server_process server({"--model-id", *model});
  http_connection client(server.port());
  client.request(
      "POST", "/generate",
      R"({"inputs":"Count: 1, 2, 3,","parameters":{"max_new_tokens":8000,"ignore_eos_token":true}})");
  REQUIRE(eventually([&] { return server.metric("lorica_requests_running") == 1.0; }));
  client.reset();
  CHECK(eventually([&] { return at_rest(server); }));
  CHECK(eventually(
      [&] { return server.metric(R"(lorica_request_failures_total{reason="cancelled"})") == 1.0; }));
  CHECK(server.metric("lorica_steps_total") < 8000.0);
}
