// Chats over the socket: what transformers renders, encodes and generates, and what adapters change of it.
#include <algorithm>
#include <filesystem>
#include <future>
#include <set>

#include "tests/files/scratch_directory.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/json_at.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string golden = LORICA_TEST_DATA "/golden";
const std::string tiny_model = golden + "/models/llama-tied-gqa";
const std::string adapters_of_model = golden + "/adapters/llama-tied-gqa";

/// A body without its last brace, from the members of a golden case that are lists of plain messages.
std::string messages_of(const value& g) {
  json_writer w;
  w.begin_object().key("messages").begin_array();
  for (auto& m : list_at(g, "messages"))
    w.begin_object()
        .key("role")
        .string(text_at(m, "role"))
        .key("content")
        .string(text_at(m, "content"))
        .end_object();
  auto out = w.end_array().end_object().take();
  out.pop_back();
  return out;
}

std::string chat_body(const value& g, const std::string& more) {
  auto adapter = g.find("adapter");
  return messages_of(g) + R"(,"model":")" + (adapter ? *adapter->as_string() : std::string("tgi")) +
         R"(","temperature":0,"max_tokens":24)" + more + "}";
}

/// The text, the reason and the number of tokens of a streamed chat.
void check_stream(const value& g, const http_reply& reply) {
  REQUIRE(reply.status == 200);
  auto all = events(reply.body);
  REQUIRE(all.size() > 3);
  CHECK(all.back() == "[DONE]");
  CHECK_THAT(all.front(), Catch::Contains(R"("delta":{"role":"assistant"})"));
  std::string text, reason;
  for (std::size_t i = 1; i + 2 < all.size(); ++i) {
    auto event = parsed(all[i]);
    auto& choice = list_at(event, "choices").front();
    if (auto piece = at(choice, "delta").find("content")) text += *piece->as_string();
    if (auto end = choice.find("finish_reason")) {
      CHECK(reason.empty());
      reason = *end->as_string();
    }
  }
  CHECK(text == text_at(g, "text"));
  CHECK(reason == (text_at(g, "finish") == "length" ? "length" : "stop"));
  auto usage = at(parsed(all[all.size() - 2]), "usage");
  CHECK(*at(usage, "completion_tokens").as_int() ==
        static_cast<std::int64_t>(at(g, "token_ids").as_array()->size()));
}

void check_whole(const value& g, const http_reply& reply) {
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  auto body = parsed(reply.body);
  auto& choice = list_at(body, "choices").front();
  CHECK(text_at(at(choice, "message"), "content") == text_at(g, "text"));
  CHECK(text_at(choice, "finish_reason") == (text_at(g, "finish") == "length" ? "length" : "stop"));
  CHECK_FALSE(choice.find("stop_reason"));
  auto ids = [](const value& list) {
    std::vector<std::int64_t> out;
    for (auto& id : *list.as_array())
      out.push_back(*id.as_int());
    return out;
  };
  CHECK(ids(at(body, "prompt_token_ids")) == ids(at(g, "prompt_ids")));
  CHECK(ids(at(choice, "token_ids")) == ids(at(g, "token_ids")));
}

/// Vertex AI's route says what chats of these models say.
void check_predictions(const server_process& server, const std::vector<std::string>& models,
                       const std::string& messages) {
  std::string instances;
  std::vector<std::string> texts;
  for (auto& model : models) {
    auto body = R"({"temperature":0,"max_tokens":12,"ignore_eos":true,"model":")" + model +
                R"(","messages":)" + messages + "}";
    auto reply = parsed(exchange(server.port(), "POST", "/v1/chat/completions", body).body);
    texts.push_back(text_at(at(list_at(reply, "choices").front(), "message"), "content"));
    instances += (instances.empty() ? "" : ",") + body;
  }
  auto reply = exchange(server.port(), "POST", "/vertex", R"({"instances":[)" + instances + "]}");
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  auto body = parsed(reply.body);
  REQUIRE(list_at(body, "predictions").size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    CHECK(*list_at(body, "predictions")[i].as_string() == texts[i]);
  CHECK(std::set(texts.begin(), texts.end()).size() == texts.size());
}

}  // namespace

TEST_CASE("chats with base and adapters give the reference's tokens, whole, streamed and mixed", "[model]") {
  auto model = default_model();
  if (!model) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  auto cases = parsed(file_content(golden + "/default_chats.json"));
  auto& list = *cases.as_array();
  REQUIRE(list.size() >= 15);
  server_process server(
      {"--model-id", *model, "--dtype", "float32", "--lora-adapters", demonstration_adapters()});
  // Bodies are made here: the macros of a test are for one thread.
  auto ask = [&](std::size_t i, const std::string& more) {
    return std::async(std::launch::async, [port = server.port(), body = chat_body(list[i], more)] {
      return exchange(port, "POST", "/v1/chat/completions", body);
    });
  };
  std::vector<std::future<http_reply>> whole, streamed;
  for (std::size_t i = 0; i < list.size(); ++i) {
    whole.push_back(ask(i, R"(,"return_token_ids":true)"));
    streamed.push_back(ask(i, R"(,"stream":true,"stream_options":{"include_usage":true})"));
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    INFO("case " << i);
    check_whole(list[i], whole[i].get());
    check_stream(list[i], streamed[i].get());
  }
}

TEST_CASE("the default model's template renders over HTTP what transformers renders", "[model]") {
  auto model = default_model();
  if (!model) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  auto conversations = parsed(file_content(golden + "/templates/conversations.json"));
  auto results = parsed(file_content(golden + "/templates/default_model.json"));
  server_process server({"--model-id", *model});
  std::size_t checked = 0;
  for (std::size_t i = 0; i < conversations.as_array()->size(); ++i) {
    auto& c = (*conversations.as_array())[i];
    auto& want = list_at(results, "results").at(i);
    bool plain = !want.is_null() && want.find("text") && !c.find("tools") && !c.find("variables") &&
                 !c.find("documents") && !c.find("continue_final_message");
    for (auto& m : list_at(c, "messages"))
      plain = plain && m.find("content") && m.find("content")->as_string() && m.as_object()->size() == 2;
    if (!plain) continue;
    INFO("conversation " << i);
    bool generate = *at(c, "add_generation_prompt").as_bool();
    auto reply = exchange(server.port(), "POST", "/chat_tokenize",
                          messages_of(c) + R"(,"add_generation_prompt":)" + (generate ? "true}" : "false}"));
    REQUIRE(reply.status == 200);
    auto body = parsed(reply.body);
    CHECK(text_at(body, "templated_text") == text_at(want, "text"));
    ++checked;
  }
  CHECK(checked >= 8);
}

TEST_CASE("an adapter's template and system prompt make its chats, by alias, and after a restart") {
  scratch_directory scratch;
  scratch.write("base.jinja", "{% for m in messages %}{{ m.content }}{% endfor %}");
  std::vector<std::string> arguments{"--model-id",      tiny_model,
                                     "--adapter-root",  adapters_of_model,
                                     "--data-dir",      (scratch.path() / "data").string(),
                                     "--chat-template", (scratch.path() / "base.jinja").string(),
                                     "--threads",       "1"};
  auto source = fs::directory_iterator(adapters_of_model)->path().filename().string();
  auto prompt_tokens = [](const server_process& server, const std::string& model,
                          const std::string& messages) {
    auto reply = exchange(
        server.port(), "POST", "/v1/chat/completions",
        R"({"model":")" + model + R"(","max_tokens":2,"ignore_eos":true,"messages":)" + messages + "}");
    INFO(reply.body);
    REQUIRE(reply.status == 200);
    return *at(at(parsed(reply.body), "usage"), "prompt_tokens").as_int();
  };
  auto tokens = [](const server_process& server, const std::string& text) {
    auto reply = exchange(server.port(), "POST", "/tokenize",
                          R"({"add_special_tokens":false,"inputs":")" + text + "\"}");
    return static_cast<std::int64_t>(parsed(reply.body).as_array()->size());
  };
  auto put = [&](const server_process& server, const std::string& name, const std::string& defaults) {
    return exchange(server.port(), "PUT", "/v1/adapters/" + name + "?wait=true",
                    R"({"source":")" + source + R"(","defaults":)" + defaults + "}");
  };
  const std::string user = R"([{"role":"user","content":"abc"}])";
  const std::string both = R"([{"role":"system","content":"de"},{"role":"user","content":"abc"}])";
  {
    server_process server(arguments);
    CHECK(prompt_tokens(server, "tgi", user) == tokens(server, "abc"));
    CHECK(put(server, "plain", "{}").status == 200);
    CHECK(prompt_tokens(server, "plain", user) == tokens(server, "abc"));
    CHECK(put(server, "own", R"({"chat_template":"{{ messages[-1].content }}{{ messages[-1].content }}"})")
              .status == 200);
    CHECK(prompt_tokens(server, "own", user) == tokens(server, "abcabc"));
    CHECK(put(server, "told", R"({"system_prompt":"fghij"})").status == 200);
    CHECK(prompt_tokens(server, "told", user) == tokens(server, "fghijabc"));
    CHECK(prompt_tokens(server, "told", both) == tokens(server, "deabc"));
    CHECK(exchange(server.port(), "PUT", "/v1/adapters/prod", R"({"alias_of":"told"})").status == 200);
    CHECK(prompt_tokens(server, "prod", user) == tokens(server, "fghijabc"));
    check_predictions(server, {"tgi", "own", "told"}, user);
    auto bad = put(server, "bad", R"({"chat_template":"a\n{% if %}"})");
    CHECK(bad.status == 400);
    CHECK_THAT(bad.body, Catch::Contains("defaults.chat_template") && Catch::Contains("line 2"));
    auto dry =
        exchange(server.port(), "PUT", "/v1/adapters/bad",
                 R"({"dry_run":true,"source":")" + source + R"(","defaults":{"chat_template":"{% if %}"}})");
    CHECK(dry.status == 400);
    CHECK_THAT(exchange(server.port(), "GET", "/v1/adapters/bad").body,
               Catch::Contains(R"("state":"failed")"));
    CHECK(server.stop().empty());
  }
  server_process server(arguments);
  CHECK(prompt_tokens(server, "own", user) == tokens(server, "abcabc"));
  CHECK(prompt_tokens(server, "prod", user) == tokens(server, "fghijabc"));
  CHECK_THAT(exchange(server.port(), "GET", "/v1/adapters/told").body,
             Catch::Contains(R"("defaults":{"system_prompt":"fghij"})"));
  CHECK(server.stop().empty());
}

TEST_CASE("a model without a chat template says so, and a file that is none is refused at start") {
  scratch_directory scratch;
  scratch.write("bad.jinja", "{% for %}");
  auto end = run_lorica({"serve", "--model-id", tiny_model, "--port", "0", "--chat-template",
                         (scratch.path() / "bad.jinja").string()});
  CHECK(end.exit_code == 2);
  CHECK_THAT(end.err, Catch::Contains("chat-template") && Catch::Contains("line 1"));
  server_process server({"--model-id", tiny_model});
  const std::string body = R"({"messages":[{"role":"user","content":"abc"}]})";
  auto reply = exchange(server.port(), "POST", "/v1/chat/completions", body);
  CHECK(reply.status == 400);
  CHECK_THAT(reply.body, Catch::Contains("the model has no chat template"));
  auto native = exchange(server.port(), "POST", "/chat_tokenize", body);
  CHECK(native.status == 422);
  CHECK_THAT(native.body, Catch::Contains("template"));
  auto raised =
      exchange(server.port(), "POST", "/v1/chat/completions", R"({"messages":[{"content":"abc"}]})");
  CHECK(raised.status == 400);
  CHECK(server.stop().empty());
}
