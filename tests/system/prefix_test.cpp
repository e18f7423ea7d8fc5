// Beginnings that were computed before, through the whole program.
#include <string>
#include <vector>

#include "tests/catch.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/json_at.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
const std::string adapters =
    "one=" LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa/patterns,two=" LORICA_TEST_DATA
    "/golden/adapters/llama-tied-gqa/all-linear";

/// 40 token ids and what is put behind them.
std::string prompt(const std::string& more) {
  std::string out = "[";
  for (int i = 0; i < 40; ++i)
    out += std::to_string(3 + i * 7) + ",";
  return out + more + "]";
}

/// Text of a greedy completion, and how many tokens of its prompt were found.
struct outcome {
  std::string text;
  double found = 0;
};

outcome ask(const server_process& server, const std::string& model, const std::string& more,
            const std::string& fields = {}) {
  auto found = [&] { return server.metric("lorica_prefix_cache_hits_total").value_or(-1); };
  auto before = found();
  auto reply = exchange(server.port(), "POST", "/v1/completions",
                        R"({"model":")" + model + R"(","prompt":)" + prompt(more) +
                            R"(,"max_tokens":6,"temperature":0,"ignore_eos":true)" + fields + "}");
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  auto body = parsed(reply.body);
  // The counters follow the last step's message.
  REQUIRE(eventually([&] { return server.metric("lorica_requests_running") == 0; }));
  return {text_at(list_at(body, "choices").front(), "text"), found() - before};
}

}  // namespace

TEST_CASE("a prompt that begins as an earlier one is answered as if it had been alone") {
  std::vector<std::string> arguments{"--model-id", tiny_model, "--lora-adapters", adapters, "--threads", "1"};
  server_process server(arguments);
  arguments.insert(arguments.end(), {"--prefix-caching", "false"});
  server_process without(arguments);
  for (auto model : {"tgi", "one", "two"}) {
    INFO(model);
    auto first = ask(server, model, "5");
    CHECK(first.found == 0);  // nobody else's beginning is this one's
    CHECK(ask(server, model, "5").text == first.text);
    auto other = ask(server, model, "6,7,8");
    CHECK(other.found == 32);
    CHECK(ask(without, model, "5").text == first.text);
    auto alone = ask(without, model, "6,7,8");
    CHECK(alone.text == other.text);
    CHECK(alone.found == 0);
  }
  CHECK(ask(server, "one", "5", R"(,"cache_salt":"mine")").found == 0);
  CHECK(ask(server, "one", "5", R"(,"cache_salt":"mine")").found == 32);
  CHECK(ask(server, "one", "5", R"(,"prompt_logprobs":0)").found == 0);
  CHECK(server.stop().empty());
  CHECK(without.stop().empty());
}

TEST_CASE("a server that has rested answers as before, from the beginnings that it kept") {
  server_process server({"--model-id", tiny_model, "--lora-adapters", adapters});
  auto first = ask(server, "one", "5,6");
  CHECK(server.metric("lorica_rests_total") == 0);
  REQUIRE(eventually([&] { return server.metric("lorica_rests_total") == 1; }));
  auto again = ask(server, "one", "5,6");
  CHECK(again.text == first.text);
  CHECK(again.found == 32);
  CHECK(server.stop().empty());
}
