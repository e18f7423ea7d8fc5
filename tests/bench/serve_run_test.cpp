#include "bench/serve_run.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>

#include "bench/serve_report.hpp"
#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/net/scripted_server.hpp"

using namespace lorica;
using namespace lorica::bench;
using namespace lorica::testing;

namespace {

const std::string head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunk(const std::string& bytes) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + bytes + "\r\n";
}

/// Two tokens and the counts, as OpenAI's servers stream them.
std::string answer() {
  auto event = [](const std::string& json) { return chunk("data: " + json + "\n\n"); };
  return head + event(R"({"choices":[{"text":"x","finish_reason":null}]})") +
         event(R"({"choices":[{"text":"y","finish_reason":"length"}]})") +
         event(R"({"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}})") +
         chunk("data: [DONE]\n\n") + "0\r\n\r\n";
}

serve_options options_for(const scripted_server& server) {
  serve_options o;
  o.base_url = server.url();
  o.model = "base";
  o.ignore_eos = true;
  return o;
}

stream_client client_of(const serve_options& o) {
  auto made = stream_client::open({.url = o.base_url, .silence = std::chrono::seconds(5)});
  REQUIRE(made);
  return *std::move(made);
}

std::vector<planned_request> some(std::size_t count) {
  std::vector<planned_request> out(count);
  for (auto& r : out)
    r.prompt = 4, r.output = 2;
  return out;
}

value body_json(const serve_options& o, const planned_request& r, std::uint64_t index) {
  auto parsed = parse_json(body_of(o, r, index));
  REQUIRE(parsed);
  return *std::move(parsed);
}

}  // namespace

TEST_CASE(
    "a request holds its prompt as token ids of the asked count and range, others for every request and "
    "seed") {
  serve_options o;
  o.model = "base";
  o.token_ids = {1000, 1010};
  o.adapters = {"a", "b"};
  planned_request r{.prompt = 50, .output = 7, .adapter = 1};
  auto body = body_json(o, r, 3);
  CHECK(*body.find("model")->as_string() == "b");
  CHECK(body.find("max_tokens")->whole() == 7);
  CHECK(body.find("temperature")->number() == 0);
  CHECK(*body.find("stream")->as_bool());
  CHECK(body.find("lora") == nullptr);
  auto& ids = *body.find("prompt")->as_array();
  REQUIRE(ids.size() == 50);
  for (auto& id : ids) {
    CHECK(*id.whole() >= 1000);
    CHECK(*id.whole() < 1010);
  }
  CHECK(body_of(o, r, 3) == body_of(o, r, 3));
  CHECK(body_of(o, r, 3) != body_of(o, r, 4));
  auto other = o;
  other.seed = 1;
  CHECK(body_of(o, r, 3) != body_of(other, r, 3));
}

TEST_CASE("requests of a run share the beginning that the traffic asks for, and nothing behind it") {
  serve_options o;
  o.model = "base";
  planned_request r{.prompt = 40, .shared = 30, .output = 1};
  auto ids = [&](std::uint64_t index) {
    std::vector<std::int64_t> out;
    auto body = body_json(o, r, index);
    for (auto& id : *body.find("prompt")->as_array())
      out.push_back(*id.whole());
    return out;
  };
  auto same = [](const auto& a, const auto& b) { return std::ranges::mismatch(a, b).in1 - a.begin(); };
  REQUIRE(ids(0).size() == 40);
  CHECK(same(ids(0), ids(1)) == 30);
  auto first = ids(0);
  o.seed = 1;
  CHECK(same(first, ids(0)) == 0);
}

TEST_CASE("llama.cpp's way names the adapter by its place and the base by a scale of none") {
  serve_options o;
  o.model = "base";
  o.adapters = {"a", "b"};
  o.style = lora_style::llama_cpp;
  auto with = body_json(o, {.adapter = 1}, 0);
  CHECK(*with.find("model")->as_string() == "base");
  auto& lora = with.find("lora")->as_array()->front();
  CHECK(lora.find("id")->whole() == 1);
  CHECK(lora.find("scale")->number() == 1);
  auto without = body_json(o, {}, 0);
  CHECK(without.find("lora")->as_array()->front().find("scale")->number() == 0);
}

TEST_CASE("a run sends every request once and reads times, counts and texts") {
  std::atomic<int> seen = 0;
  scripted_server server([&](scripted_peer& peer) {
    while (!peer.read().empty()) {
      ++seen;
      peer.write(answer());
    }
  });
  auto o = options_for(server);
  o.max_concurrency = 1;
  o.save_detailed = true;
  auto client = client_of(o);
  auto run = send_all(client, o, some(5));
  CHECK(seen == 5);
  CHECK(server.connections() == 1);
  REQUIRE(run.outcomes.size() == 5);
  double last = -1;
  for (auto& one : run.outcomes) {
    CHECK(one.success);
    CHECK(one.output == 2);
    CHECK(one.prompt == 4);
    CHECK(one.text == "xy");
    CHECK(one.itl.size() == 1);
    CHECK(one.ttft > 0);
    CHECK(one.latency >= one.ttft);
    CHECK(one.start > last);               // one at a time, in their order
    CHECK(one.queue >= one.start - 1e-9);  // all had arrived at 0
    last = one.start;
  }
  CHECK(run.duration >= last);
  CHECK_FALSE(run.foreign);  // the server's process was not told
}

TEST_CASE("a request that is refused has failed with the server's words, and the others go on") {
  int count = 0;
  scripted_server server([&](scripted_peer& peer) {
    while (!peer.read().empty()) {
      const std::string refusal = R"({"error":{"message":"Model is overloaded","type":"overloaded"}})";
      if (++count == 2)
        peer.write("HTTP/1.1 429 Too Many Requests\r\nContent-Length: " + std::to_string(refusal.size()) +
                   "\r\n\r\n" + refusal);
      else
        peer.write(answer());
    }
  });
  auto o = options_for(server);
  o.max_concurrency = 1;
  auto client = client_of(o);
  auto run = send_all(client, o, some(3));
  CHECK(run.outcomes[0].success);
  CHECK_FALSE(run.outcomes[1].success);
  CHECK(run.outcomes[1].error == "status 429: Model is overloaded");
  CHECK(run.outcomes[2].success);
}

TEST_CASE("a server that refuses the first request gets no other") {
  std::atomic<int> seen = 0;
  scripted_server server([&](scripted_peer& peer) {
    while (!peer.read().empty()) {
      ++seen;
      peer.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
  });
  auto o = options_for(server);
  o.warmups = 4;
  auto client = client_of(o);
  auto ready = try_server(client, o, some(1));
  REQUIRE_FALSE(ready);
  CHECK_THAT(ready.error().text, Catch::EndsWith("status 404"));
  CHECK(seen == 1);
}

TEST_CASE("arrivals are kept: a request is not sent before its time") {
  scripted_server server([&](scripted_peer& peer) {
    while (!peer.read().empty())
      peer.write(answer());
  });
  auto o = options_for(server);
  o.max_concurrency = 1;
  auto client = client_of(o);
  auto plan = some(3);
  plan[1].arrival = 0.02;
  plan[2].arrival = 0.05;
  auto run = send_all(client, o, plan);
  for (std::size_t i = 0; i < plan.size(); ++i)
    CHECK(run.outcomes[i].start >= plan[i].arrival);
}

TEST_CASE("the result has every key of vLLM's result file") {
  serve_options o;
  o.model = "base";
  o.save_detailed = true;
  o.percentile_metrics = {"ttft", "tpot", "itl", "e2el"};
  o.percents = {50, 99.9};
  auto plan = some(2);
  serve_run run;
  run.outcomes.resize(2);
  run.duration = 1;
  auto json = parse_json(
      result_json(o, plan, run, measure(run.outcomes, 1, o.bounds, o.percents), "20260102-030405"));
  REQUIRE(json);
  std::vector<std::string> there;
  for (auto& [name, v] : *json->as_object())
    there.push_back(name);
  std::ifstream file(LORICA_TEST_DATA "/golden/vllm_serve_keys.json");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  auto golden = parse_json(text);
  REQUIRE(golden);
  auto& keys = *golden->find("keys")->as_array();
  CHECK(keys.size() > 40);
  for (auto& key : keys) {
    INFO(*key.as_string());
    CHECK(std::ranges::find(there, *key.as_string()) != there.end());
  }
  CHECK(*json->find("request_rate")->as_string() == "inf");
  CHECK(json->find("request_goodput") == nullptr);  // null without bounds
}
