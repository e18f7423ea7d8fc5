// Which adapter answers, in all the ways clients say it, and how the reply tells: the whole program.
#include <optional>
#include <string>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
const std::string tiny_adapter = LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa/r8-q-v";

std::vector<std::string> with_adapter(std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--model-id", tiny_model, "--served-model-name", "org/tiny:1b,small",
                           "--lora-adapters", "one=" + tiny_adapter});
  return more;
}

http_reply complete(const server_process& server, const std::string& model) {
  return exchange(server.port(), "POST", "/v1/completions",
                  R"({"model":")" + model + R"(","prompt":"a b c","max_tokens":12,"temperature":0})");
}

http_reply generate(const server_process& server, const std::string& parameters) {
  return exchange(server.port(), "POST", "/generate",
                  R"({"inputs":"a b c","parameters":{"max_new_tokens":12,)" + parameters + "}}");
}

/// The text of a completion that was answered.
std::string text(const http_reply& reply) {
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  return *(*parse_json(reply.body)->find("choices")->as_array())[0].find("text")->as_string();
}

std::string native_text(const http_reply& reply) {
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  return *parse_json(reply.body)->find("generated_text")->as_string();
}

}  // namespace

TEST_CASE("an adapter behind a name of the base and a colon is that adapter") {
  server_process server(with_adapter());
  auto base = text(complete(server, "org/tiny:1b")), adapted = text(complete(server, "one"));
  REQUIRE(base != adapted);
  for (std::string model : {"org/tiny:1b:one", "org/tiny:1b::one", "small:one", "tgi::one"}) {
    auto reply = complete(server, model);
    CHECK(text(reply) == adapted);
    CHECK(reply.headers["x-adapter-id"] == "one");
    CHECK(*parse_json(reply.body)->find("model")->as_string() == model);
  }
  CHECK(text(complete(server, "http://127.0.0.1:8080")) == base);
  CHECK(complete(server, "small:two").status == 404);
  CHECK(complete(server, "other:one").status == 404);
  auto empty = complete(server, "small:");
  CHECK(empty.status == 400);
  CHECK_THAT(empty.body, Catch::Contains("names no adapter behind the colon"));
}

TEST_CASE("with --unknown-adapter base the base answers for names that nobody has, and for no others") {
  scratch_directory scratch;
  auto broken = scratch.write("broken/adapter_config.json", R"({"peft_type":"LORA","unheard_of":1})");
  auto folder = broken.substr(0, broken.rfind('/'));
  server_process server({"--model-id", tiny_model, "--unknown-adapter", "base", "--skip-bad-adapters",
                         "--lora-adapters", "one=" + tiny_adapter + ",broken=" + folder});
  auto base = text(complete(server, "tgi"));
  auto unknown = complete(server, "gpt-3.5-turbo");
  CHECK(text(unknown) == base);
  CHECK(unknown.headers["x-adapter-fallback"] == "base");
  CHECK_FALSE(unknown.headers.contains("x-adapter-id"));
  auto native = generate(server, R"("adapter_id":"nobody")");
  CHECK(native_text(native) == base);
  CHECK(native.headers["x-adapter-fallback"] == "base");
  auto stream = exchange(server.port(), "POST", "/generate_stream",
                         R"({"inputs":"a b c","parameters":{"max_new_tokens":2,"adapter_id":"nobody"}})");
  CHECK(stream.status == 200);
  CHECK(stream.headers["x-adapter-fallback"] == "base");

  auto one = complete(server, "one");
  CHECK(text(one) != base);
  CHECK_FALSE(one.headers.contains("x-adapter-fallback"));
  CHECK_FALSE(complete(server, "tgi").headers.contains("x-adapter-fallback"));
  CHECK(generate(server, R"("adapter_id":"broken")").status == 424);
  CHECK(generate(server, R"("adapters":[{"id":"one"},{"id":"nobody"}])").status == 404);
  CHECK(exchange(server.port(), "GET", "/v1/models/nobody").status == 404);
  CHECK(eventually([&] { return server.metric("lorica_unknown_adapter_fallbacks_total") == 3.0; }));
  auto log = server.log();
  auto line = log.find("--unknown-adapter base");
  REQUIRE(line != std::string::npos);
  CHECK(log.find("--unknown-adapter base", line + 1) == std::string::npos);
}

TEST_CASE("a stream whose adapter keeps it waiting names the adapter in its last event") {
  server_process server(with_adapter());
  auto act = [&](const std::string& what) {
    return exchange(server.port(), "POST", "/v1/adapters/one/" + what).status;
  };
  REQUIRE(act("pause") == 200);
  // The head comes without waiting for the adapter, with a comment behind it; then it is let go.
  auto late = [&](const std::string& path, const std::string& body) {
    http_connection client(server.port());
    client.request("POST", path, body);
    bool first = true;
    return client.read([&](std::string_view) {
      if (std::exchange(first, false)) CHECK(act("resume") == 200);
      return true;
    });
  };
  auto native =
      late("/generate_stream", R"({"inputs":"a b c","parameters":{"max_new_tokens":3,"adapter_id":"one"}})");
  CHECK(native.complete);
  CHECK_FALSE(native.headers.contains("x-adapter-id"));
  auto all = events(native.body);
  REQUIRE(all.size() == 3);
  auto last = parse_json(all.back());
  REQUIRE(last);
  auto told = last->find("adapter");
  REQUIRE(told);
  CHECK(*told->find("id")->as_string() == "one");
  CHECK(*told->find("tier")->as_string() == "disk");  // it had to be waited for
  auto in_time = exchange(server.port(), "POST", "/generate_stream",
                          R"({"inputs":"a b c","parameters":{"max_new_tokens":3,"adapter_id":"one"}})");
  CHECK(in_time.headers["x-adapter-version"] == *told->find("version")->as_string());
  CHECK_THAT(in_time.body, !Catch::Contains("\"adapter\""));
}

TEST_CASE("replies tell LoRAX's and TGI's counts and times, and where an adapter comes from") {
  server_process server(with_adapter());
  auto native = generate(server, R"("adapter_id":"one","adapter_source":"hub","api_token":"hf_secret",)"
                                 R"("return_k_alternatives":2,"details":true)");
  REQUIRE(native.status == 200);
  auto openai = complete(server, "one");
  for (auto* reply : {&native, &openai}) {
    CHECK(reply->headers["x-adapter-source"] == "local");
    CHECK(reply->headers["x-generated-tokens"] == "12");
    CHECK(reply->headers["x-skipped-tokens"] == "0");
    CHECK(reply->headers["x-compute-characters"] == "5");
    CHECK(std::stoi(reply->headers["x-total-tokens"]) == 12 + std::stoi(reply->headers["x-prompt-tokens"]));
    auto number = [&](const char* name) { return std::stoll(reply->headers[name]); };
    CHECK(number("x-time-to-first-token") <= number("x-total-time"));
    CHECK(number("x-time-per-output-token") * 11 <= number("x-total-time"));
  }
  auto body = parse_json(native.body);
  REQUIRE(body);
  auto details = body->find("details");
  auto& tokens = *details->find("tokens")->as_array();
  REQUIRE(tokens.size() == 12);
  for (auto& token : tokens) {
    // Greedy: the token itself is the likeliest.
    auto& likeliest = *token.find("alternative_tokens")->as_array();
    REQUIRE(likeliest.size() == 2);
    CHECK(*likeliest[0].find("id")->as_int() == *token.find("id")->as_int());
    CHECK(likeliest[0].find("logprob")->number() == token.find("logprob")->number());
    CHECK(likeliest[1].find("logprob")->number() <= likeliest[0].find("logprob")->number());
  }
  CHECK_THAT(server.log(), !Catch::Contains("hf_secret"));
  auto refused = generate(server, R"("adapter_id":"one","adapter_source":"s3")");
  CHECK(refused.status == 422);
  CHECK_THAT(refused.body, Catch::Contains("`adapter_source` must be `hub` or `local`. Given: s3"));
}

TEST_CASE("a native seed is told where an adapter's default switched sampling on, and only then") {
  auto slash = tiny_adapter.rfind('/');
  server_process server({"--model-id", tiny_model, "--adapter-root", tiny_adapter.substr(0, slash)});
  auto seed = [&](const std::string& more) {
    auto reply = generate(server, R"("adapter_id":"sql","details":true)" + more);
    INFO(reply.body);
    REQUIRE(reply.status == 200);
    auto body = parse_json(reply.body);
    auto found = body->find("details")->find("seed");
    return found ? std::optional(found->number()) : std::nullopt;
  };
  auto put = [&](const std::string& defaults) {
    return exchange(server.port(), "PUT", "/v1/adapters/sql?wait=true",
                    R"({"source":")" + tiny_adapter.substr(slash + 1) + R"(","defaults":)" + defaults + "}")
        .status;
  };
  REQUIRE(put(R"({"temperature":0.7})") == 200);
  CHECK(seed(""));
  CHECK(seed(R"(,"seed":7)") == 7.0);
  CHECK_FALSE(seed(R"(,"do_sample":false)"));
  REQUIRE(put("{}") == 200);
  CHECK_FALSE(seed(""));
  CHECK(seed(R"(,"do_sample":true,"seed":9)") == 9.0);
}

TEST_CASE("of best_of sequences the best is the answer and all others are told") {
  server_process server(with_adapter());
  auto reply = generate(server, R"("best_of":2,"do_sample":true,"temperature":2.0,"details":true)");
  INFO(reply.body);
  REQUIRE(reply.status == 200);
  auto body = parse_json(reply.body);
  auto details = body->find("details");
  auto& others = *details->find("best_of_sequences")->as_array();
  REQUIRE(others.size() == 1);
  auto mean = [](const value& sequence) {
    auto& tokens = *sequence.find("tokens")->as_array();
    double sum = 0;
    for (auto& token : tokens)
      sum += token.find("logprob")->number();
    return sum / static_cast<double>(tokens.size());
  };
  CHECK(mean(*details) >= mean(others[0]));
  CHECK(details->find("seed"));
  CHECK(others[0].find("seed"));
}

TEST_CASE("platforms find their routes, and each instance its adapter") {
  server_process server(with_adapter());
  auto port = server.port();
  auto base = native_text(generate(server, R"("do_sample":false)"));
  auto adapted = native_text(generate(server, R"("adapter_id":"one")"));
  auto instance = [](const std::string& more) {
    return R"({"inputs":"a b c","parameters":{"max_new_tokens":12)" + more + "}}";
  };
  auto several = exchange(port, "POST", "/vertex",
                          R"({"instances":[)" + instance(R"(,"adapter_id":"one")") + "," + instance("") +
                              "," + instance(R"(,"adapter_id":"small")") + "]}");
  INFO(several.body);
  REQUIRE(several.status == 200);
  auto told = parse_json(several.body);
  auto& texts = *told->find("predictions")->as_array();
  REQUIRE(texts.size() == 3);
  CHECK(*texts[0].as_string() == adapted);
  CHECK(*texts[1].as_string() == base);
  CHECK(*texts[2].as_string() == base);
  CHECK(several.headers["x-adapter-id"] == "one");
  auto unknown =
      exchange(port, "POST", "/vertex",
               R"({"instances":[)" + instance("") + "," + instance(R"(,"adapter_id":"nobody")") + "]}");
  CHECK(unknown.status == 404);
  auto native = exchange(port, "POST", "/invocations", instance(R"(,"adapter_id":"one")"));
  CHECK(*(*parse_json(native.body)->as_array())[0].find("generated_text")->as_string() == adapted);
  CHECK(text(exchange(port, "POST", "/invocations",
                      R"({"model":"one","prompt":"a b c","max_tokens":12,"temperature":0})")) == adapted);
}

TEST_CASE("the environment of an inference endpoint or of Vertex AI is enough to start") {
  scratch_directory scratch;
  environment variables{{"MODEL_ID", tiny_model},
                        {"PORT", "0"},
                        {"HOSTNAME", "0.0.0.0"},
                        {"HUGGINGFACE_HUB_CACHE", scratch.path().string()},
                        {"API_KEY", "endpoint-key"},
                        {"MAX_INPUT_LENGTH", "50"},
                        {"MAX_TOTAL_TOKENS", "60"},
                        {"MAX_BATCH_PREFILL_TOKENS", "32"},
                        {"MAX_BATCH_TOTAL_TOKENS", "240"},
                        {"MAX_CLIENT_BATCH_SIZE", "2"},
                        {"MAX_TOP_N_TOKENS", "3"},
                        {"NUM_SHARD", "1"},
                        {"CUDA_GRAPHS", "0"},
                        {"PREFILL_CHUNKING", "1"},
                        {"LORA_ADAPTERS", "one=" + tiny_adapter},
                        {"AIP_PREDICT_ROUTE", "/v1/endpoints/7:predict"},
                        {"AIP_HEALTH_ROUTE", "/v1/endpoints/7"}};
  server_process server({}, variables);
  auto port = server.port();
  CHECK(port != 3000);
  const std::string key = "Authorization: Bearer endpoint-key\r\n";
  CHECK(exchange(port, "GET", "/health").status == 200);
  CHECK(exchange(port, "GET", "/v1/endpoints/7").status == 200);
  CHECK(exchange(port, "GET", "/info").status == 401);
  const std::string body =
      R"({"instances":[{"inputs":"a b c","parameters":{"adapter_id":"one","max_new_tokens":4}}]})";
  CHECK(exchange(port, "POST", "/v1/endpoints/7:predict", body).status == 401);
  auto answered = exchange(port, "POST", "/v1/endpoints/7:predict", body, key);
  CHECK(answered.status == 200);
  CHECK(answered.headers["x-adapter-id"] == "one");
  auto info = parse_json(exchange(port, "GET", "/info", {}, key).body);
  REQUIRE(info);
  auto number = [&](const char* name) { return info->find(name)->number(); };
  CHECK(number("max_input_tokens") == 50);
  CHECK(number("max_total_tokens") == 60);
  CHECK(number("max_batch_prefill_tokens") == 32);
  CHECK(number("max_batch_total_tokens") == 240);
  CHECK(number("max_client_batch_size") == 2);
  CHECK(number("max_top_n_tokens") == 3);
  CHECK_THAT(server.log(), Catch::Contains("--cuda-graphs has no effect: the CPU computes"));
  for (auto name : {"NUM_SHARD", "PREFILL_CHUNKING"})
    CHECK_THAT(server.log(), Catch::Contains(std::string("environment variable ") + name + " has no effect"));
  CHECK_THAT(server.log(), !Catch::Contains("endpoint-key"));
  CHECK(server.stop().empty());
}

TEST_CASE("an environment that cannot be served ends the start with its name") {
  struct row {
    environment variables;
    std::string word;
  };
  for (auto& r : {row{{{"QUANTIZE", "gptq"}}, "QUANTIZE"}, row{{{"SHARDED", "true"}}, "SHARDED"},
                  row{{{"MAX_INPUT_LENGTH", "9"}, {"MAX_INPUT_TOKENS", "9"}}, "MAX_INPUT_LENGTH"},
                  row{{{"AIP_PREDICT_ROUTE", "/generate"}}, "predict-route"},
                  row{{{"AIP_HEALTH_ROUTE", "health"}}, "health-route"},
                  row{{{"LORICA_UNKNOWN_ADAPTER", "none"}}, "LORICA_UNKNOWN_ADAPTER"}}) {
    INFO(r.word);
    auto end = run_lorica({"serve", "--model-id", tiny_model, "--port", "0"}, r.variables);
    CHECK(end.exit_code == 2);
    CHECK_THAT(end.err, Catch::Contains(r.word));
  }
}
