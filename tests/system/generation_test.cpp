// The default model with its four adapters, against what transformers and peft gave for the same prompts.
#include <algorithm>
#include <future>
#include <random>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/system/golden_case.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string golden = LORICA_TEST_DATA "/golden/default_model.json";

}  // namespace

TEST_CASE("base and four adapters give the reference's tokens alone, mixed and streamed", "[model]") {
  auto model = default_model();
  if (!model) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  auto cases = golden_cases(golden);
  REQUIRE(cases.size() >= 10);
  server_process server(
      {"--model-id", *model, "--dtype", "float32", "--lora-adapters", demonstration_adapters()});
  auto port = server.port();
  for (auto& g : cases)
    check_answer(g, delivery::plain, ask(port, g, delivery::plain));
  // 32 at once in random order, every second one streamed.
  std::vector<std::size_t> order(32);
  for (std::size_t i = 0; i < order.size(); ++i)
    order[i] = i % cases.size();
  std::shuffle(order.begin(), order.end(), std::mt19937(7));
  auto way = [](std::size_t i) { return i % 2 ? delivery::streamed : delivery::plain; };
  std::vector<std::future<http_reply>> replies;
  for (std::size_t i = 0; i < order.size(); ++i)
    replies.push_back(std::async(std::launch::async, [&, i] { return ask(port, cases[order[i]], way(i)); }));
  for (std::size_t i = 0; i < order.size(); ++i)
    check_answer(cases[order[i]], way(i), replies[i].get());
}

TEST_CASE("the default mode gives each request the same text alone and in a crowd", "[model]") {
  auto model = default_model();
  if (!model) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  auto cases = golden_cases(golden);
  server_process server({"--model-id", *model, "--lora-adapters", demonstration_adapters(),
                         "--max-batch-prefill-tokens", "13"});
  auto port = server.port();
  auto text = [&](const golden_case& g) {
    auto reply = ask(port, g, delivery::plain);
    return reply.status == 200 ? *parse_json(reply.body)->find("generated_text")->as_string() : reply.body;
  };
  std::vector<std::string> alone;
  for (auto& g : cases)
    alone.push_back(text(g));
  std::vector<std::future<std::string>> crowd;
  for (auto& g : cases)
    crowd.push_back(std::async(std::launch::async, text, std::cref(g)));
  for (std::size_t i = 0; i < cases.size(); ++i)
    CHECK(crowd[i].get() == alone[i]);
}

TEST_CASE("a pool of few blocks preempts and still gives the same text", "[model]") {
  auto model = default_model();
  if (!model) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  auto body = [](int n) {
    return R"({"inputs":"Story number )" + std::to_string(n) +
           R"(: once upon a time","parameters":{"max_new_tokens":120,"repetition_penalty":1.1,"ignore_eos_token":true}})";
  };
  auto texts = [&](const std::vector<std::string>& extra) {
    std::vector<std::string> arguments{"--model-id", *model};
    arguments.insert(arguments.end(), extra.begin(), extra.end());
    server_process server(arguments);
    std::vector<std::future<http_reply>> replies;
    for (int i = 0; i < 6; ++i)
      replies.push_back(std::async(std::launch::async, [port = server.port(), text = body(i)] {
        return exchange(port, "POST", "/generate", text);
      }));
    std::vector<std::string> out;
    for (auto& r : replies) {
      auto reply = r.get();
      CHECK(reply.status == 200);
      out.push_back(reply.body);
    }
    return std::pair(out, server.metric("lorica_preemptions_total").value_or(-1));
  };
  auto [roomy, none] = texts({});
  auto [tight, some] = texts({"--kv-memory", "9M", "--max-total-tokens", "160"});
  CHECK(none == 0);
  CHECK(some > 0);
  CHECK(roomy == tight);
}

TEST_CASE("a seed gives the same sampled text again") {
  server_process server({"--model-id", LORICA_TEST_DATA "/golden/models/llama-tied-gqa"});
  auto sampled = [&](int seed) {
    auto body =
        R"({"inputs":"Once upon a time","parameters":{"do_sample":true,"temperature":0.9,"max_new_tokens":20,"seed":)" +
        std::to_string(seed) + "}}";
    auto reply = exchange(server.port(), "POST", "/generate", body);
    CHECK(reply.status == 200);
    return reply.body;
  };
  auto first = sampled(1);
  CHECK(first == sampled(1));
  CHECK(first != sampled(2));
}

TEST_CASE("an unknown adapter is never the base") {
  server_process server({"--model-id", LORICA_TEST_DATA "/golden/models/llama-tied-gqa"});
  auto native =
      exchange(server.port(), "POST", "/generate", R"({"inputs":"a","parameters":{"adapter_id":"nobody"}})");
  CHECK(native.status == 404);
  auto streamed = exchange(server.port(), "POST", "/generate_stream",
                           R"({"inputs":"a","parameters":{"adapter_id":"nobody"}})");
  CHECK(streamed.status == 404);
  auto openai = exchange(server.port(), "POST", "/v1/completions", R"({"model":"nobody","prompt":"a"})");
  CHECK(openai.status == 404);
  CHECK_THAT(openai.body, Catch::Contains("The model `nobody` does not exist."));
}

TEST_CASE("typical_p changes a sampled text, and company does not") {
  server_process server({"--model-id", LORICA_TEST_DATA "/golden/models/llama-tied-gqa"});
  // Called beside others: the macros of a test are for one thread, so a failure is told in the text.
  auto ask = [&](const std::string& fields) {
    auto body =
        R"({"inputs":"a b c","parameters":{"max_new_tokens":40,"ignore_eos_token":true,)" + fields + "}}";
    auto reply = exchange(server.port(), "POST", "/generate", body);
    return reply.status == 200 ? reply.body : "status " + std::to_string(reply.status);
  };
  auto typical = [&](int seed) {
    return ask(R"("temperature":1.5,"top_k":50,"typical_p":0.3,"seed":)" + std::to_string(seed));
  };
  std::vector<std::string> alone;
  for (int seed = 0; seed < 8; ++seed)
    alone.push_back(typical(seed));
  for (auto& text : alone)
    CHECK_THAT(text, Catch::Contains("generated_text"));
  CHECK(alone[0] != alone[1]);
  CHECK(alone[0] != ask(R"("temperature":1.5,"top_k":50,"seed":0)"));
  std::vector<std::future<std::string>> together;
  for (int seed = 0; seed < 8; ++seed)
    together.push_back(std::async(std::launch::async, typical, seed));
  for (int seed = 0; seed < 8; ++seed)
    CHECK(together[static_cast<std::size_t>(seed)].get() == alone[static_cast<std::size_t>(seed)]);
}

TEST_CASE("a completion streams the text of its plain form, then usage, then the end mark") {
  server_process server({"--model-id", LORICA_TEST_DATA "/golden/models/llama-tied-gqa", "--lora-adapters",
                         "one=" LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa/r8-q-v"});
  std::string fields = R"("model":"one","prompt":"a b c","max_tokens":20,"temperature":0)";
  auto plain = parse_json(exchange(server.port(), "POST", "/v1/completions", "{" + fields + "}").body);
  REQUIRE(plain);
  auto reply = exchange(server.port(), "POST", "/v1/completions",
                        "{" + fields + R"(,"stream":true,"stream_options":{"include_usage":true}})");
  REQUIRE(reply.complete);
  CHECK(reply.headers.at("x-adapter-id") == "one");
  auto all = events(reply.body);
  REQUIRE(all.size() >= 3);
  CHECK(all.back() == "[DONE]");
  all.pop_back();
  std::string text;
  for (auto& event : all) {
    auto json = parse_json(event);
    REQUIRE(json);
    for (auto& choice : *json->find("choices")->as_array())
      text += *choice.find("text")->as_string();
  }
  CHECK(text == *(*plain->find("choices")->as_array())[0].find("text")->as_string());
  auto usage = parse_json(all.back());
  REQUIRE(usage);
  CHECK(*usage->find("usage")->find("completion_tokens")->as_int() ==
        *plain->find("usage")->find("completion_tokens")->as_int());
}
