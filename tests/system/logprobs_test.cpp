// Log-probabilities of prompt and answer over the socket, against what transformers and PEFT computed.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "tests/system/http_client.hpp"
#include "tests/system/json_at.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

constexpr double tolerance = 1e-3;
const std::string golden = LORICA_TEST_DATA "/golden";

/// What is asked of one golden case: its answer's length is known, so end tokens are passed over.
std::string question(const value& g, const std::string& more) {
  json_writer ids;
  ids.begin_array();
  for (auto& id : list_at(g, "prompt_ids"))
    ids.integer(*id.as_int());
  auto adapter = g.find("adapter");
  return R"({"model":")" + (adapter ? *adapter->as_string() : std::string("tgi")) + R"(","prompt":)" +
         ids.end_array().take() + R"(,"max_tokens":)" + std::to_string(list_at(g, "token_ids").size()) +
         R"(,"temperature":0,"ignore_eos":true,)" + more + "}";
}

value first_choice(std::uint16_t port, const std::string& body) {
  auto reply = exchange(port, "POST", "/v1/completions", body);
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  auto parsed = parse_json(reply.body);
  REQUIRE(parsed);
  return list_at(*parsed, "choices").front();
}

/// One entry of vLLM's `prompt_logprobs` against a told prompt token.
void check_prompt_token(const value& entry, const value& told, std::int64_t id) {
  auto& own = at(entry, std::to_string(id));
  CHECK(std::abs(at(own, "logprob").number() - at(told, "logprob").number()) < tolerance);
  auto& ranks = list_at(told, "rank");
  auto rank = at(own, "rank").number();
  CHECK(rank >= ranks[0].number());
  CHECK(rank <= ranks[1].number());
  // The likeliest one is told too; two that are equally likely may change places.
  auto& likeliest = *list_at(told, "top").front().as_array();
  double best = -1e9;
  for (auto& [other, its] : *entry.as_object())
    best = std::max(best, at(its, "logprob").number());
  CHECK(std::abs(best - likeliest[1].number()) < tolerance);
}

}  // namespace

TEST_CASE("echoed prompts and answers have the reference's log-probabilities, base and adapters") {
  std::string name = GENERATE("llama-tied-gqa", "qwen3", "gemma2");
  INFO(name);
  auto adapters = golden + "/adapters/" + name;
  std::string loaded;
  for (auto& entry : fs::directory_iterator(adapters))
    loaded += (loaded.empty() ? "" : ",") + entry.path().filename().string() + "=" + entry.path().string();
  server_process server(
      {"--model-id", golden + "/models/" + name, "--dtype", "float32", "--lora-adapters", loaded});
  auto cases = parse_json(file_content(golden + "/models/" + name + "/logprobs.json"),
                          {.max_bytes = std::size_t{1} << 26});
  REQUIRE(cases);
  REQUIRE(cases->as_array()->size() > 4);
  for (auto& g : *cases->as_array()) {
    auto& prompt = list_at(g, "prompt_ids");
    auto& told = list_at(g, "prompt_told");
    auto& answer = list_at(g, "logprobs");
    auto choice = first_choice(server.port(), question(g, R"("logprobs":5,"echo":true,"prompt_logprobs":3)"));
    auto& logprobs = list_at(at(choice, "logprobs"), "token_logprobs");
    REQUIRE(logprobs.size() == prompt.size() + answer.size());
    CHECK(logprobs[0].is_null());
    for (std::size_t i = 1; i < prompt.size(); ++i)
      CHECK(std::abs(logprobs[i].number() - at(told[i - 1], "logprob").number()) < tolerance);
    for (std::size_t i = 0; i < answer.size(); ++i)
      CHECK(std::abs(logprobs[prompt.size() + i].number() - answer[i].number()) < tolerance);
    auto& entries = list_at(choice, "prompt_logprobs");
    REQUIRE(entries.size() == prompt.size());
    CHECK(entries[0].is_null());
    for (std::size_t i = 1; i < prompt.size(); ++i)
      check_prompt_token(entries[i], told[i - 1], *prompt[i].as_int());
    // Greedy answers have the likeliest token first among the alternatives.
    auto& top = list_at(at(choice, "logprobs"), "top_logprobs");
    CHECK(top[0].is_null());
    auto own = logprobs.back().number();
    for (auto& [text, other] : *top.back().as_object())
      CHECK(other.number() <= own + 1e-6);
  }
  CHECK(server.stop() == "");
}

TEST_CASE("rules about tokens hold over the socket, and foreign ids are refused by name") {
  server_process server({"--model-id", golden + "/models/llama-tied-gqa", "--dtype", "float32"});
  auto cases = parse_json(file_content(golden + "/models/llama-tied-gqa/logprobs.json"),
                          {.max_bytes = std::size_t{1} << 26});
  REQUIRE(cases);
  const value* base = nullptr;
  for (auto& g : *cases->as_array())
    if (!g.find("adapter") && !base) base = &g;
  REQUIRE(base);
  auto first = *list_at(*base, "token_ids").front().as_int();
  auto logprob_of_first = [&](const std::string& rule) {
    auto choice = first_choice(server.port(), question(*base, R"("logprobs":0,)" + rule));
    return list_at(at(choice, "logprobs"), "token_logprobs").front().number();
  };
  auto golden_first = list_at(*base, "logprobs").front().number();
  CHECK(std::abs(logprob_of_first(R"("min_tokens":0)") - golden_first) < tolerance);
  // The likeliest token is forbidden: another one comes, with its own log-probability of the raw logits.
  auto& top = list_at(list_at(*base, "answer_told").front(), "top");
  auto second = (*top[1].as_array())[1].number();
  CHECK(std::abs(logprob_of_first(R"("logit_bias":{")" + std::to_string(first) + R"(":-100})") - second) <
        tolerance);
  auto third = *(*top[2].as_array())[0].as_int();
  CHECK(std::abs(logprob_of_first(R"("allowed_token_ids":[)" + std::to_string(third) + "]") -
                 (*top[2].as_array())[1].number()) < tolerance);
  auto stopped =
      first_choice(server.port(), question(*base, R"("stop_token_ids":[)" + std::to_string(first) + "]"));
  CHECK(*at(stopped, "finish_reason").as_string() == "stop");
  CHECK(*at(stopped, "stop_reason").as_int() == first);
  CHECK(*at(stopped, "text").as_string() == "");
  auto refused = exchange(server.port(), "POST", "/v1/completions",
                          R"({"prompt":"a","max_tokens":1,"logit_bias":{"1000000":1}})");
  CHECK(refused.status == 400);
  CHECK_THAT(refused.body, Catch::Contains("logit_bias") && Catch::Contains("1000000"));
  auto two = exchange(server.port(), "POST", "/v1/completions",
                      R"({"prompt":"a","max_tokens":3,"n":2,"best_of":3,"seed":5,"logprobs":1})");
  CHECK(two.status == 200);
  CHECK_THAT(two.body, Catch::Contains(R"({"index":1,)") && !Catch::Contains(R"({"index":2,)"));
  CHECK(server.stop() == "");
}
