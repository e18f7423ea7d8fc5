#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <thread>

#include "core/json.hpp"
#include "tests/adapters/hub_server.hpp"
#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
const std::string adapters_of_model = LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa";

/// A server whose adapters lie below one root, with a catalogue that outlives it.
std::vector<std::string> arguments(const scratch_directory& scratch) {
  return {
      "--model-id", tiny_model,       "--dtype",         "float32",    "--threads",
      "1",          "--adapter-root", adapters_of_model, "--data-dir", (scratch.path() / "data").string()};
}

std::vector<std::string> sources() {
  std::vector<std::string> out;
  for (auto& entry : fs::directory_iterator(adapters_of_model))
    out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  REQUIRE(out.size() > 3);
  return out;
}

/// What a name answers: text and version, or the status.
std::string answer(const server_process& server, const std::string& name) {
  auto body = R"({"inputs":"abc","parameters":{"max_new_tokens":4,"adapter_id":")" + name + "\"}}";
  auto reply = exchange(server.port(), "POST", "/generate", body);
  if (reply.status != 200) return std::to_string(reply.status);
  return reply.headers["x-adapter-version"] + " " + reply.body;
}

int load(const server_process& server, const std::string& name, const std::string& source) {
  return exchange(server.port(), "PUT", "/v1/adapters/" + name + "?wait=true",
                  R"({"source":")" + source + "\"}")
      .status;
}

}  // namespace

TEST_CASE("vLLM's routes load and unload while the server runs, and the next request sees it") {
  scratch_directory scratch;
  server_process server(arguments(scratch));
  auto source = sources().front();
  auto body = R"({"lora_name":"one","lora_path":")" + source + "\"}";
  auto loaded = exchange(server.port(), "POST", "/v1/load_lora_adapter", body);
  CHECK(loaded.status == 200);
  CHECK(loaded.body == "Success: LoRA adapter 'one' added successfully.");
  CHECK(exchange(server.port(), "POST", "/v1/load_lora_adapter", body).status == 400);
  CHECK(answer(server, "one") == answer(server, source));  // the same content, found by its own name
  auto gone = exchange(server.port(), "POST", "/v1/unload_lora_adapter", R"({"lora_name":"one"})");
  CHECK(gone.status == 200);
  CHECK(gone.body == "Success: LoRA adapter 'one' removed successfully.");
  CHECK(answer(server, "one") == "404");
  CHECK(exchange(server.port(), "POST", "/v1/load_lora_adapter",
                 R"({"lora_name":"one","lora_path":"../models"})")
            .status == 400);
  CHECK(server.stop().empty());
}

TEST_CASE("an adapter's defaults hold for what requests leave open, by alias, and after a restart") {
  scratch_directory scratch;
  auto source = sources().front();
  auto tokens = [](const server_process& server, const std::string& name, const std::string& more) {
    auto reply = exchange(server.port(), "POST", "/v1/completions",
                          R"({"model":")" + name + R"(","prompt":"abc","ignore_eos":true)" + more + "}");
    INFO(reply.body);
    REQUIRE(reply.status == 200);
    auto parsed = parse_json(reply.body);
    REQUIRE(parsed);
    return *parsed->find("usage")->find("completion_tokens")->as_int();
  };
  auto text = [](const server_process& server, const std::string& name) {
    auto reply = exchange(server.port(), "POST", "/v1/completions",
                          R"({"model":")" + name + R"(","prompt":"abc","ignore_eos":true})");
    return *parse_json(reply.body)->find("choices")->as_array()->front().find("text")->as_string();
  };
  std::string greedy;
  {
    server_process server(arguments(scratch));
    auto put = [&](const std::string& defaults) {
      return exchange(server.port(), "PUT", "/v1/adapters/sql?wait=true",
                      R"({"source":")" + source + R"(","defaults":)" + defaults + "}");
    };
    CHECK(put(R"({"max_new_tokens":3,"temperature":0})").status == 200);
    auto refused = put(R"({"temperature":-1})");
    CHECK(refused.status == 400);
    CHECK_THAT(refused.body, Catch::Contains("defaults.temperature"));
    CHECK(exchange(server.port(), "PUT", "/v1/adapters/prod", R"({"alias_of":"sql"})").status == 200);
    CHECK(tokens(server, "sql", "") == 3);
    CHECK(tokens(server, "prod", "") == 3);
    CHECK(tokens(server, "sql", R"(,"max_tokens":5)") == 5);
    greedy = text(server, "sql");
    for (int i = 0; i < 4; ++i)
      CHECK(text(server, "sql") == greedy);  // without the default it is drawn anew each time
    // A load that does not speak of them leaves them as they are; an empty object takes them away.
    CHECK(load(server, "sql", source) == 200);
    CHECK(tokens(server, "sql", "") == 3);
    CHECK(tokens(server, source, "") == 16);  // the same content under its own name
    CHECK(exchange(server.port(), "PUT", "/v1/adapters/last?wait=true",
                   R"({"source":")" + source + R"(","defaults":{"max_new_tokens":2}})")
              .status == 200);  // nothing else is written down for this name
    CHECK(server.stop().empty());
  }
  server_process server(arguments(scratch));
  CHECK(tokens(server, "sql", "") == 3);
  CHECK(text(server, "prod") == greedy);
  CHECK(tokens(server, "last", "") == 2);
  auto shown = exchange(server.port(), "GET", "/v1/adapters/sql");
  CHECK_THAT(shown.body, Catch::Contains(R"("defaults":{"temperature":0,"max_new_tokens":3})"));
  CHECK(exchange(server.port(), "PUT", "/v1/adapters/sql?wait=true",
                 R"({"source":")" + source + R"(","defaults":{}})")
            .status == 200);
  CHECK(tokens(server, "sql", "") == 16);
  CHECK(server.stop().empty());
}

TEST_CASE("loads that are refused disturb neither a stream nor what serves") {
  scratch_directory scratch;
  server_process server(arguments(scratch), {{"HF_HUB_OFFLINE", "1"}});
  auto all = sources();
  REQUIRE(load(server, "steady", all.front()) == 200);
  auto before = answer(server, "steady");
  std::string alone, beside;
  auto stream = [&](std::string& text) {
    http_connection client(server.port());
    client.request(
        "POST", "/generate_stream",
        R"({"inputs":"abc","parameters":{"max_new_tokens":60,"ignore_eos_token":false,"adapter_id":"steady"}})");
    return client.read([&](std::string_view data) {
      text.append(data);
      return true;
    });
  };
  stream(alone);
  std::thread reader([&] { stream(beside); });
  for (int i = 0; i < 50; ++i)
    CHECK(load(server, "steady", i % 2 == 0 ? "no/where" : "../models") >= 400);
  reader.join();
  CHECK(alone == beside);
  CHECK(answer(server, "steady") == before);
  CHECK(server.stop().empty());
}

TEST_CASE("an adapter that waits for room gets it although another is always in use") {
  scratch_directory scratch;
  auto first = sources()[0], second = sources()[1];
  auto given = arguments(scratch);
  std::uint64_t together = 0;
  {
    server_process server(given);
    for (auto& name : {first, second}) {
      CHECK(answer(server, name) != "404");
      auto shown = parse_json(exchange(server.port(), "GET", "/v1/adapters/" + name).body);
      REQUIRE(shown);
      together += static_cast<std::uint64_t>(*shown->find("bytes")->as_int());
    }
  }
  given.insert(given.end(),
               {"--adapter-host-memory", std::to_string(together - 1), "--adapter-drain-after", "1"});
  server_process server(given);
  // So many clients of the first adapter that one always generates.
  std::atomic<bool> over = false;
  std::atomic<int> answered = 0;
  std::vector<std::jthread> clients;
  auto body = [&](int tokens) {  // of many lengths, so that they do not end together
    return R"({"inputs":"abc","parameters":{"ignore_eos_token":true,"adapter_id":")" + first +
           R"(","max_new_tokens":)" + std::to_string(tokens) + "}}";
  };
  for (int i = 0; i < 16; ++i)
    clients.emplace_back([&, i] {
      while (!over) {
        auto reply = exchange(server.port(), "POST", "/generate", body(200 + 17 * i));
        if (reply.status == 200) ++answered;
      }
    });
  while (answered < 6)
    std::this_thread::yield();
  auto late = answer(server, second);
  auto before_end = answered.load();
  over = true;
  clients.clear();
  CHECK_THAT(late, Catch::Contains("generated_text"));
  CHECK(before_end > 6);
  CHECK_THAT(server.log(), Catch::Contains("another one in use makes place"));
  CHECK(answer(server, first) != late);
  CHECK(server.stop().empty());
}

TEST_CASE("adapters come from the Hub while the server runs; one that stands still delays no other") {
  scratch_directory scratch;
  hub_server hub;
  auto source = sources().front();
  for (auto& entry : fs::directory_iterator(adapters_of_model + "/" + source)) {
    std::ostringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    auto name = entry.path().filename().string();
    for (auto id : {"acme/style", "acme/stuck", "acme/asked"})
      hub.file(id, name, content.str(), name.ends_with(".safetensors"));
  }
  hub.rule([&hub](const hub_call& call) -> std::optional<hub_answer> {
    if (call.method != "GET" || call.target.find("acme/stuck/resolve") == std::string::npos)
      return std::nullopt;
    auto out = hub.answer(call);
    out.hold_after = 1;
    return out;
  });
  auto parts = arguments(scratch);
  for (auto more : {"--dynamic-adapters", "hub", "--dynamic-hub-allow", "acme"})
    parts.emplace_back(more);
  const environment hub_home{{"HF_ENDPOINT", hub.url()},
                             {"HF_TOKEN", "hf_secret"},
                             {"HF_HUB_OFFLINE", ""},
                             {"HF_HUB_CACHE", (scratch.path() / "hub").string()}};
  {
    // Without a root an id means the Hub alone.
    auto rootless = parts;
    rootless.erase(std::ranges::find(rootless, "--adapter-root"),
                   std::ranges::find(rootless, "--adapter-root") + 2);
    rootless.erase(std::ranges::find(rootless, "--data-dir"), std::ranges::find(rootless, "--data-dir") + 2);
    server_process bare(rootless, hub_home);
    CHECK(load(bare, "style", "acme/style") == 200);
    CHECK(load(bare, "path", "/etc") == 400);
    CHECK(bare.stop().empty());
  }
  server_process server(parts, hub_home);
  auto stuck = exchange(server.port(), "PUT", "/v1/adapters/stuck", R"({"source":"acme/stuck"})");
  CHECK(stuck.status == 202);
  REQUIRE(hub.wait_held(1));
  CHECK(load(server, "style", "acme/style") == 200);
  CHECK(load(server, "local", source) == 200);
  CHECK(answer(server, "style") == answer(server, "local"));
  CHECK(answer(server, "acme/asked") == answer(server, "local"));  // by its name alone
  CHECK(answer(server, "other/asked") == "404");                   // not an allowed organisation
  CHECK(hub.count("other/asked") == 0);
  for (auto& call : hub.calls())
    CHECK(call.authorization == (call.at_other ? "" : "Bearer hf_secret"));

  auto cancelled = exchange(server.port(), "DELETE", stuck.headers["location"]);
  CHECK(cancelled.status == 200);
  CHECK(eventually([&] {
    auto job = exchange(server.port(), "GET", stuck.headers["location"]);
    return job.body.find("\"state\":\"cancelled\"") != std::string::npos;
  }));
  CHECK(answer(server, "stuck") == "404");
  CHECK(server.log().find("hf_secret") == std::string::npos);
  hub.release();
  CHECK(server.stop().empty());
}
