#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <utility>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";

/// A directory that looks like an adapter but is refused.
class bad_adapter {
 public:
  bad_adapter() : path_(fs::temp_directory_path() / ("lorica-bad-" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
    std::ofstream(path_ / "adapter_config.json")
        << R"({"peft_type":"LORA","r":8,"lora_alpha":8,"use_qalora":true})";
    std::ofstream(path_ / "adapter_model.safetensors") << "x";
  }
  ~bad_adapter() { fs::remove_all(path_); }
  std::string given() const { return "broken=" + path_.string(); }

 private:
  fs::path path_;
};

/// Streams `tokens` tokens; sends SIGTERM at the first of them, calls `then`, and reads on.
http_reply stream_with_signal(const server_process& server, int tokens, const std::function<void()>& then) {
  http_connection stream(server.port());
  stream.request(
      "POST", "/generate_stream",
      R"({"inputs":"a b c","parameters":{"details":true,"ignore_eos_token":true,"max_new_tokens":)" +
          std::to_string(tokens) + "}}");
  bool signalled = false;
  return stream.read([&](std::string_view) {
    if (!std::exchange(signalled, true)) {
      server.signal(SIGTERM);
      then();
    }
    return true;
  });
}

/// How many tokens the last event of a stream tells; -1 when it is not the end of a generation.
std::int64_t generated_tokens(const http_reply& reply) {
  auto all = events(reply.body);
  auto last = all.empty() ? result<value>(value()) : parse_json(all.back());
  auto details = last ? last->find("details") : nullptr;
  auto count = details ? details->find("generated_tokens") : nullptr;
  return count && count->as_int() ? *count->as_int() : -1;
}

}  // namespace

TEST_CASE("version and help come without a model") {
  auto version = run_lorica({"--version"});
  CHECK(version.exit_code == 0);
  CHECK_THAT(version.out, Catch::StartsWith("lorica 0."));
  auto help = run_lorica({"serve", "--help"});
  CHECK(help.exit_code == 0);
  CHECK_THAT(help.out, Catch::Contains("--lora-adapters") && Catch::Contains("LORA_ADAPTERS"));
}

TEST_CASE("a bad setting ends the program with 2 before anything is loaded") {
  auto row = GENERATE(as<std::vector<std::string>>{}, std::vector<std::string>{"serve"},
                      std::vector<std::string>{"serve", "--model-id", "/nowhere", "--port", "99999"},
                      std::vector<std::string>{"serve", "--model-id", "/nowhere", "--quantize", "awq"},
                      std::vector<std::string>{"serve", "--model-id", "/nowhere", "--no-such-flag", "1"},
                      std::vector<std::string>{"serve", "--model-id", "/nowhere", "--lora-adapters", "a=b=c"},
                      std::vector<std::string>{"dance"});
  auto end = run_lorica(row);
  CHECK(end.exit_code == 2);
  CHECK_FALSE(end.err.empty());
}

TEST_CASE("a model that is not there is named without its folder") {
  auto end = run_lorica({"serve", "--model-id", "/some/secret/place/model.gguf"});
  CHECK(end.exit_code != 0);
  CHECK_THAT(end.err, Catch::Contains("model.gguf"));
  CHECK_THAT(end.err, !Catch::Contains("secret"));
}

TEST_CASE("a tokenizer with more ids than the model has rows is refused") {
  auto folder = fs::temp_directory_path() / ("lorica-vocabulary-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  fs::copy(tiny_model, folder);
  std::stringstream text;
  text << std::ifstream(folder / "tokenizer.json").rdbuf();
  auto json = text.str();
  auto list = json.find("\"added_tokens\"");
  REQUIRE(list != std::string::npos);
  json.insert(
      json.find('[', list) + 1,
      R"({"id":5000,"content":"<|far|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},)");
  std::ofstream(folder / "tokenizer.json") << json;
  auto end = run_lorica({"serve", "--model-id", folder.string(), "--port", "0"});
  fs::remove_all(folder);
  CHECK(end.exit_code == 1);
  CHECK_THAT(end.err, Catch::Contains("5001") && Catch::Contains("320"));
}

TEST_CASE("a bad adapter at start stops the server with its reason") {
  bad_adapter bad;
  auto end = run_lorica({"serve", "--model-id", tiny_model, "--port", "0", "--lora-adapters", bad.given()});
  CHECK(end.exit_code == 1);
  CHECK_THAT(end.err, Catch::Contains("broken") && Catch::Contains("unsupported_field"));
}

TEST_CASE("a bad adapter at start can be skipped, and its name is then refused, never the base") {
  bad_adapter bad;
  server_process server({"--model-id", tiny_model, "--lora-adapters", bad.given(), "--skip-bad-adapters"});
  auto reply = exchange(server.port(), "POST", "/generate",
                        R"({"inputs":"a","parameters":{"adapter_id":"broken","max_new_tokens":2}})");
  CHECK(reply.status == 424);
  CHECK(exchange(server.port(), "GET", "/health").status == 200);
  CHECK_THAT(server.log(), Catch::Contains("unsupported_field"));
}

TEST_CASE("a port that is taken is an error with the port in it") {
  server_process server({"--model-id", tiny_model});
  auto end = run_lorica({"serve", "--model-id", tiny_model, "--port", std::to_string(server.port())});
  CHECK(end.exit_code == 1);
  CHECK_THAT(end.err, Catch::Contains(std::to_string(server.port())));
}

TEST_CASE("a ready server answers the routes that describe it") {
  server_process server({"--model-id", tiny_model, "--served-model-name", "tiny,small"});
  auto port = server.port();
  for (auto path : {"/health", "/ping", "/"}) {
    auto reply = exchange(port, "GET", path);
    CHECK(reply.status == 200);
    CHECK(reply.body.empty());
    CHECK(reply.headers.contains("x-request-id"));
  }
  auto info = parse_json(exchange(port, "GET", "/info").body);
  REQUIRE(info);
  CHECK(*info->find("model_id")->as_string() == "tiny");
  auto models = parse_json(exchange(port, "GET", "/v1/models").body);
  REQUIRE(models);
  CHECK(*(*models->find("data")->as_array())[0].find("id")->as_string() == "tiny");
  CHECK_THAT(exchange(port, "GET", "/metrics").body, Catch::Contains("lorica_") && Catch::Contains("tgi_"));
}

TEST_CASE(
    "keys and values as codes: more tokens in the same memory, told in /info, refused in the exact mode") {
  auto tokens = [](const std::string& kv) {
    server_process server(
        {"--model-id", tiny_model, "--dtype", "bfloat16", "--kv-memory", "1M", "--kv-cache-dtype", kv});
    auto info = parse_json(exchange(server.port(), "GET", "/info").body);
    REQUIRE(info);
    CHECK(*info->find("kv_cache_dtype")->as_string() == (kv == "int8" ? "int8" : "bfloat16"));
    auto reply = exchange(server.port(), "POST", "/generate",
                          R"({"inputs":"a b c","parameters":{"max_new_tokens":8}})");
    CHECK(reply.status == 200);
    return info->find("max_batch_total_tokens")->number();
  };
  CHECK(tokens("int8") > 1.4 * tokens("auto"));
  auto end = run_lorica(
      {"serve", "--model-id", tiny_model, "--port", "0", "--dtype", "float32", "--kv-cache-dtype", "int8"});
  CHECK(end.exit_code != 0);
  CHECK_THAT(end.err, Catch::Contains("--kv-cache-dtype: with --dtype float32 it can be float32 or auto"));
  end = run_lorica({"serve", "--model-id", tiny_model, "--port", "0", "--dtype", "bfloat16",
                    "--kv-cache-dtype", "float32"});
  CHECK(end.exit_code != 0);
  CHECK_THAT(end.err, Catch::Contains("it can be int8, bfloat16 or auto"));
}

TEST_CASE("SIGTERM lets a running stream finish and ends with 0") {
  server_process server({"--model-id", tiny_model});
  auto reply = stream_with_signal(server, 400, [] {});
  CHECK(reply.complete);
  CHECK(generated_tokens(reply) == 400);
  CHECK(server.wait() == 0);
}

TEST_CASE("a draining server refuses new work while a stream runs to its end", "[model]") {
  auto model = default_model();
  if (!model) {
    WARN("skipped: the default model is not fetched");
    return;
  }
  server_process server({"--model-id", *model});
  bool refused = false;
  auto reply = stream_with_signal(server, 300, [&] {
    refused = eventually([&] {
      return exchange(server.port(), "POST", "/generate",
                      R"({"inputs":"a","parameters":{"max_new_tokens":1}})")
                 .status == 503;
    });
  });
  CHECK(refused);
  CHECK(generated_tokens(reply) == 300);
  CHECK(server.wait() == 0);
}

TEST_CASE("SIGTERM without time to drain ends running streams with an error event") {
  server_process server({"--model-id", tiny_model, "--graceful-termination-timeout", "0"});
  auto all = events(stream_with_signal(server, 400, [] {}).body);
  REQUIRE_FALSE(all.empty());
  bool ended = all.back().find("\"error\"") != std::string::npos ||
               all.back().find("\"generated_text\":\"") != std::string::npos;
  CHECK(ended);
  CHECK(server.wait() == 0);
}
