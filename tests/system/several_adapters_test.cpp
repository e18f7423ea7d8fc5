// Several weighted adapters on one request, over the socket, against what PEFT and LoRAX's formula gave.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <random>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/system/golden_case.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string golden = LORICA_TEST_DATA "/golden";

std::vector<std::string> serving(const std::string& model) {
  std::string list;
  for (auto& entry : fs::directory_iterator(golden + "/adapters/" + model))
    if (entry.is_directory())
      list.append(list.empty() ? "" : ",")
          .append(entry.path().filename().string() + "=" + entry.path().string());
  return {"--model-id", golden + "/models/" + model, "--dtype", "float32", "--lora-adapters", list};
}

struct question {
  const golden_case* about;
  delivery how;
};

std::vector<http_reply> replies_of_16_clients(std::uint16_t port, const std::vector<question>& questions) {
  std::vector<http_reply> out(questions.size());
  std::atomic<std::size_t> next = 0;
  std::vector<std::future<void>> clients;
  for (int i = 0; i < 16; ++i)
    clients.push_back(std::async(std::launch::async, [&] {
      for (std::size_t at = next++; at < questions.size(); at = next++)
        out[at] = ask(port, *questions[at].about, questions[at].how);
    }));
  for (auto& c : clients)
    c.get();
  return out;
}

/// A native reply without the fields that time changes.
std::string generate(std::uint16_t port, const std::string& parameters, int status = 200) {
  auto body =
      R"({"inputs":"the and of","parameters":{"max_new_tokens":16,"details":true,)" + parameters + "}}";
  auto reply = exchange(port, "POST", "/generate", body);
  INFO(body << " -> " << reply.body);
  CHECK(reply.status == status);
  return reply.body;
}

int completion_status(std::uint16_t port, const std::string& fields) {
  auto body = R"({"prompt":"the","max_tokens":2,)" + fields + "}";
  auto reply = exchange(port, "POST", "/v1/completions", body);
  INFO(body << " -> " << reply.body);
  return reply.status;
}

}  // namespace

TEST_CASE("weighted and merged adapters answer as the references alone and 16 at once, beside all others") {
  auto name = GENERATE(as<std::string>{}, "llama-tied-gqa", "phi3");
  INFO(name);
  std::vector<golden_case> cases;
  for (auto file : {"compositions.json", "merges.json"})
    for (auto& g : golden_cases(golden + "/models/" + name + "/" + file))
      cases.push_back(g);
  const auto several = cases.size();
  REQUIRE(std::all_of(cases.begin(), cases.end(), [](auto& g) { return g.adapters.size() >= 2; }));
  for (auto& g : golden_cases(golden + "/models/" + name + "/golden.json"))
    cases.push_back(g);
  server_process server(serving(name));
  std::vector<question> questions;
  for (auto& g : cases)
    for (auto how : {delivery::plain, delivery::streamed})
      questions.push_back({&g, how});
  for (std::size_t i = 0; i < 2 * several; ++i)
    check_answer(*questions[i].about, questions[i].how,
                 ask(server.port(), *questions[i].about, questions[i].how));
  std::shuffle(questions.begin(), questions.end(), std::mt19937(16));
  auto replies = replies_of_16_clients(server.port(), questions);
  for (std::size_t i = 0; i < questions.size(); ++i)
    check_answer(*questions[i].about, questions[i].how, replies[i]);
  CHECK(server.stop() == "");
}

TEST_CASE("one adapter in a list is that adapter, weights of 0 are the base, and each one named is counted") {
  server_process server(serving("llama-tied-gqa"));
  auto port = server.port();
  auto plain = generate(port, R"("adapter_id":"r8-q-v")");
  CHECK(generate(port, R"("adapters":[{"id":"r8-q-v","weight":1}])") == plain);
  CHECK(generate(port, R"("adapters":[{"id":"r8-q-v"}])") == plain);
  CHECK(generate(port, R"("merged_adapters":{"ids":["r8-q-v"],"weights":[0.3]})") == plain);
  CHECK(generate(port, R"("adapters":[{"id":"dora","weight":1}])") ==
        generate(port, R"("adapter_id":"dora")"));
  auto base = generate(port, R"("adapter_id":null)");
  CHECK(base != plain);
  CHECK(generate(port, R"("adapters":[{"id":"r8-q-v","weight":0},{"id":"rslora","weight":0}])") == base);
  // Alias and target are two shares of one adapter.
  CHECK(exchange(port, "PUT", "/v1/adapters/also", R"({"alias_of":"r8-q-v"})").status == 200);
  CHECK(generate(port, R"("adapters":[{"id":"also","weight":0.5},{"id":"r8-q-v","weight":0.5}])").size() >
        50);

  CHECK(completion_status(port, R"("adapters":[{"id":"r8-q-v"},{"id":"rslora","weight":0.5}])") == 200);
  CHECK(eventually([&] { return server.metric(R"(lorica_requests_total{adapter="rslora"})") == 2.0; }));
  CHECK(server.stop() == "");
}

TEST_CASE("what cannot be combined is a refusal that costs no step and holds nothing") {
  server_process server(serving("llama-tied-gqa"));
  auto port = server.port();
  auto refused = [&](const std::string& parameters, int status, const std::string& text) {
    auto body = generate(port, parameters, status);
    INFO(body);
    CHECK(body.find(text) != std::string::npos);
  };
  refused(R"("adapters":[{"id":"r8-q-v"},{"id":"nobody"}])", 404, "The model `nobody` does not exist.");
  refused(R"("adapters":[{"id":"r8-q-v"},{"id":"dora","weight":0.5}])", 422, "DoRA (use_dora)");
  refused(R"("adapters":[{"id":"saved-head","weight":0.5}])", 422, "modules_to_save");
  refused(R"("merged_adapters":{"ids":["r8-q-v","dora"],"weights":[1,1]})", 422, "needs equal ranks");
  refused(R"("merged_adapters":{"ids":["bare-keys","dora"],"weights":[1,1]})", 422, "DoRA (use_dora)");
  refused(R"("merged_adapters":{"ids":["r8-q-v","bare-keys"],"weights":[1,1]})", 422,
          "`r8-q-v` has rank 8, `bare-keys` has rank 4");
  refused(R"("merged_adapters":{"ids":["bare-keys","patterns"],"weights":[1,1]})", 422,
          "has rank 4, adapter 2 has rank");
  refused(R"("merged_adapters":{"ids":["patterns","bare-keys"],"weights":[1,1]})", 422, "several scalings");
  refused(R"("merged_adapters":{"ids":["excluded","lora-bias"],"weights":[1,1]})", 422, "lora_bias");
  refused(R"("merged_adapters":{"ids":["r8-q-v","rslora"],"weights":[1]})", 422,
          "number of adapter IDs must match number of adapter weights");
  CHECK(completion_status(port, R"("adapters":[{"id":"r8-q-v"},{"id":"dora"}])") == 400);
  CHECK(completion_status(port, R"("adapters":[{"id":"r8-q-v"},{"id":"nobody"}])") == 404);
  CHECK(completion_status(port, R"("model":"rslora","adapters":[{"id":"r8-q-v"}])") == 400);
  CHECK(server.metric("lorica_steps_total").value_or(0) == 0);
  // Every stay is given back: nothing holds an unload up.
  for (std::string gone : {"r8-q-v", "dora", "bare-keys", "lora-bias"})
    CHECK(exchange(port, "DELETE", "/v1/adapters/" + gone + "?wait=true").status == 200);
  CHECK(server.stop() == "");
}

TEST_CASE("LoRAX's Python client gets its merge with every field that it sends") {
  auto cases = golden_cases(golden + "/models/llama-tied-gqa/merges.json");
  auto with_text = std::find_if(cases.begin(), cases.end(), [](auto& g) { return g.prompt.has_value(); });
  REQUIRE(with_text != cases.end());
  auto& g = *with_text;
  json_writer ids, weights, prompt;
  ids.begin_array();
  weights.begin_array();
  for (auto& [id, weight] : g.adapters)
    ids.string(id), weights.number(weight);
  ids.end_array(), weights.end_array();
  prompt.string(*g.prompt);
  // As lorax-client 0.6.3 writes it.
  auto body =
      R"({"inputs":)" + prompt.take() +
      R"(,"parameters":{"adapter_id":null,"adapter_source":null,"merged_adapters":{"ids":)" + ids.take() +
      R"(,"weights":)" + weights.take() +
      R"(,"merge_strategy":"linear","density":0.0,"majority_sign_method":null},"api_token":null,"do_sample":false,)"
      R"("max_new_tokens":24,"ignore_eos_token":false,"repetition_penalty":null,"return_full_text":false,"stop":[],)"
      R"("seed":null,"temperature":null,"top_k":null,"top_p":null,"truncate":null,"typical_p":null,"best_of":null,)"
      R"("watermark":false,"details":true,"decoder_input_details":true,"return_k_alternatives":null,)"
      R"("response_format":null},"stream":false})";
  server_process server(serving("llama-tied-gqa"));
  auto reply = exchange(server.port(), "POST", "/", body);
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  auto json = parse_json(reply.body);
  REQUIRE(json);
  REQUIRE(json->as_array());
  auto& first = json->as_array()->at(0);
  CHECK(*first.find("generated_text")->as_string() == g.text);
  CHECK(first.find("details")->find("tokens")->as_array()->size() == g.tokens.size());
  CHECK(server.stop() == "");
}
