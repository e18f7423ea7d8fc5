#include "config/settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "config/setting.hpp"
#include "tests/catch.hpp"
#include "tests/config/environment.hpp"

using namespace lorica;
using lorica::testing::env;

TEST_CASE("flags beat the environment, which beats defaults") {
  auto only_defaults = merge_settings({{"model-id", "m"}}, env({}));
  REQUIRE(only_defaults);
  CHECK(only_defaults->port == 3000);
  CHECK(only_defaults->hostname == "127.0.0.1");
  CHECK(only_defaults->max_concurrent_requests == 128);
  auto from_env = merge_settings({}, env({{"MODEL_ID", "m"}, {"PORT", "80"}}));
  REQUIRE(from_env);
  CHECK(from_env->model_id == "m");
  CHECK(from_env->port == 80);
  auto both = merge_settings({{"port", "81"}}, env({{"MODEL_ID", "m"}, {"PORT", "80"}}));
  REQUIRE(both);
  CHECK(both->port == 81);
}

TEST_CASE("HOSTNAME from the environment counts only as an address") {
  auto container = merge_settings({{"model-id", "m"}}, env({{"HOSTNAME", "3f2a9c"}}));
  REQUIRE(container);
  CHECK(container->hostname == "127.0.0.1");
  auto address = merge_settings({{"model-id", "m"}}, env({{"HOSTNAME", "0.0.0.0"}}));
  REQUIRE(address);
  CHECK(address->hostname == "0.0.0.0");
  CHECK_FALSE(merge_settings({{"model-id", "m"}, {"hostname", "3f2a9c"}}, env({})));
}

TEST_CASE("a bad value names the setting, the value and what is allowed") {
  struct row {
    flag_values flags;
    std::vector<std::string> words;
  };
  auto r = GENERATE(values<row>({
      {{{"port", "99999"}}, {"--port", "'99999'", "0 to 65535"}},
      {{{"port", "80x"}}, {"--port", "'80x'"}},
      {{{"port", ""}}, {"--port", "''"}},
      {{{"max-stop-sequences", "-1"}}, {"--max-stop-sequences", "'-1'"}},
      {{{"max-batch-size", "99999999999999999999"}}, {"--max-batch-size"}},
      {{{"dtype", "int3"}}, {"--dtype", "'int3'", "auto, float32, bfloat16, int8, fp8, float16"}},
      {{{"kv-cache-dtype", "fp8_e5m2"}}, {"--kv-cache-dtype", "'fp8_e5m2'", "auto, float32, bfloat16, int8"}},
      {{{"kv-memory", "1T"}}, {"--kv-memory", "'1T'"}},
      {{{"kv-memory", "9999999999999G"}}, {"--kv-memory"}},
      {{{"skip-bad-adapters", "maybe"}}, {"--skip-bad-adapters", "true or false"}},
      {{{"watermark-gamma", "1"}}, {"--watermark-gamma", "a number above 0 and below 1"}},
      {{{"watermark-gamma", "half"}}, {"--watermark-gamma", "a number above 0 and below 1"}},
      {{{"watermark-delta", "-2"}}, {"--watermark-delta", "a number above 0 and at most 100"}},
      {{{"served-model-name", "a,,b"}}, {"--served-model-name"}},
      {{{"max-input-tokens", "10"}, {"max-input-length", "10"}}, {"--max-input-length", "give one"}},
      {{{"max-input-tokens", "10"}, {"max-total-tokens", "10"}}, {"--max-input-tokens", "less than"}},
      {{{"max-batch-total-tokens", "5"}, {"max-total-tokens", "10"}}, {"--max-batch-total-tokens"}},
      {{{"quantize", "awq"}}, {"--quantize", "'awq'", ".gguf"}},
      {{{"num-shard", "2"}}, {"--num-shard", "'2'"}},
      {{{"cors-allow-origin", "*"}}, {"--cors-allow-origin", "'*'", "https://HOST"}},
      {{{"cors-allow-origin", "https://a.example/"}}, {"--cors-allow-origin", "'https://a.example/'"}},
      {{{"cors-allow-origin", "https://a.example,b.example"}}, {"--cors-allow-origin", "'b.example'"}},
      {{{"max-connections", "0"}}, {"--max-connections", "'0'"}},
      {{{"nonsense", "1"}}, {"--nonsense"}},
  }));
  r.flags.emplace("model-id", "m");
  auto s = merge_settings(r.flags, env({}));
  REQUIRE_FALSE(s);
  CHECK(s.error().code == errc::bad_config);
  for (auto& word : r.words)
    CHECK_THAT(s.error().text, Catch::Contains(word));
}

TEST_CASE("a missing model is named") {
  auto s = merge_settings({}, env({}));
  REQUIRE_FALSE(s);
  CHECK_THAT(s.error().text, Catch::Contains("--model-id"));
}

TEST_CASE("the key of the administration is its own") {
  auto apart = merge_settings({{"model-id", "m"}, {"api-key", "one"}}, env({{"ADMIN_API_KEY", "two"}}));
  REQUIRE(apart);
  CHECK(apart->admin_api_key == "two");
  CHECK(merge_settings({{"model-id", "m"}}, env({}))->admin_api_key.empty());
  auto same =
      merge_settings({{"model-id", "m"}, {"api-key", "hunter2"}, {"admin-api-key", "hunter2"}}, env({}));
  REQUIRE_FALSE(same);
  CHECK(same.error().code == errc::bad_config);
  CHECK_THAT(same.error().text, Catch::StartsWith("--admin-api-key: ") && !Catch::Contains("hunter2"));
}

TEST_CASE("an error from the environment names the variable") {
  auto s = merge_settings({{"model-id", "m"}}, env({{"MAX_BATCH_SIZE", "0"}}));
  REQUIRE_FALSE(s);
  CHECK_THAT(s.error().text, Catch::Contains("MAX_BATCH_SIZE"));
}

TEST_CASE("settings that only TGI has are accepted with a warning where they are harmless") {
  auto s = merge_settings(
      {{"model-id", "m"}, {"num-shard", "1"}, {"max-waiting-tokens", "20"}, {"dtype", "float16"}},
      env({{"ATTENTION", "paged"}}));
  REQUIRE(s);
  CHECK(s->warnings.size() == 4);
  CHECK(s->dtype == compute_dtype::automatic);
}

TEST_CASE(
    "numbers of sequences to record steps for are sorted, or none, and what is no such number is refused") {
  const auto graphs = [](const std::string& text) {
    return merge_settings({{"model-id", "m"}}, env({{"CUDA_GRAPHS", text}}));
  };
  using rows = std::vector<std::uint32_t>;
  CHECK(merge_settings({{"model-id", "m"}}, env({}))->cuda_graphs == std::nullopt);
  CHECK(graphs("1,2,4,8,16,32")->cuda_graphs == rows{1, 2, 4, 8, 16, 32});
  CHECK(graphs("8,1,8,4096")->cuda_graphs == rows{1, 8, 4096});
  CHECK(graphs("0")->cuda_graphs == rows{});
  for (auto wrong : {"0,1", "4097", "-1", "2x", "all", "1,,2"}) {
    auto s = graphs(wrong);
    REQUIRE_FALSE(s);
    CHECK(s.error().code == errc::bad_config);
    CHECK_THAT(s.error().text,
               Catch::StartsWith("environment variable CUDA_GRAPHS") && Catch::Contains("or 0 alone"));
  }
}

TEST_CASE("the share of a device's memory is above 0 and at most 1") {
  const auto share = [](const std::string& text) {
    return merge_settings({{"model-id", "m"}, {"cuda-memory-fraction", text}}, env({}));
  };
  CHECK(share("0.5")->cuda_memory_fraction == 0.5);
  CHECK(share("1.0")->cuda_memory_fraction == 1);
  for (auto wrong : {"0", "1.01", "-0.5", "half"})
    CHECK_FALSE(share(wrong));
}

TEST_CASE("sizes take binary units") {
  auto s = merge_settings({{"model-id", "m"}, {"kv-memory", "512M"}}, env({}));
  REQUIRE(s);
  CHECK(*s->kv_memory == 512ull << 20);
}

TEST_CASE("every TGI launcher setting has a row") {
  for (auto flag : {"model-id",
                    "revision",
                    "validation-workers",
                    "sharded",
                    "num-shard",
                    "quantize",
                    "speculate",
                    "dtype",
                    "kv-cache-dtype",
                    "trust-remote-code",
                    "max-concurrent-requests",
                    "max-best-of",
                    "max-stop-sequences",
                    "max-top-n-tokens",
                    "max-input-tokens",
                    "max-input-length",
                    "max-total-tokens",
                    "waiting-served-ratio",
                    "max-batch-prefill-tokens",
                    "max-batch-total-tokens",
                    "max-waiting-tokens",
                    "max-batch-size",
                    "cuda-graphs",
                    "hostname",
                    "port",
                    "prometheus-port",
                    "shard-uds-path",
                    "master-addr",
                    "master-port",
                    "huggingface-hub-cache",
                    "weights-cache-override",
                    "disable-custom-kernels",
                    "cuda-memory-fraction",
                    "rope-scaling",
                    "rope-factor",
                    "json-output",
                    "otlp-endpoint",
                    "otlp-service-name",
                    "cors-allow-origin",
                    "api-key",
                    "ngrok",
                    "ngrok-authtoken",
                    "ngrok-edge",
                    "tokenizer-config-path",
                    "disable-grammar-support",
                    "max-client-batch-size",
                    "lora-adapters",
                    "usage-stats",
                    "payload-limit",
                    "enable-prefill-logprobs",
                    "graceful-termination-timeout"})
    CHECK(find_setting(flag) != nullptr);
}

TEST_CASE("docs/configuration.md is what the table says") {
  std::ifstream file(LORICA_SOURCE_DIR "/docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  if (std::getenv("LORICA_UPDATE_DOCS"))
    std::ofstream(LORICA_SOURCE_DIR "/docs/configuration.md") << settings_markdown();
  CHECK(text.str() == settings_markdown());
}

TEST_CASE("the environment of an inference endpoint's custom image is taken") {
  auto s = merge_settings({}, env({{"MODEL_ID", "/repository"},
                                   {"PORT", "80"},
                                   {"HOSTNAME", "ip-10-0-0-1"},
                                   {"HUGGINGFACE_HUB_CACHE", "/data"},
                                   {"API_KEY", "key"},
                                   {"MAX_INPUT_LENGTH", "100"},
                                   {"MAX_TOTAL_TOKENS", "200"},
                                   {"MAX_BATCH_TOTAL_TOKENS", "400"},
                                   {"MAX_BATCH_PREFILL_TOKENS", "128"},
                                   {"MAX_TOP_N_TOKENS", "7"},
                                   {"NUM_SHARD", "1"},
                                   {"CUDA_GRAPHS", "0"},
                                   {"PREFILL_CHUNKING", "1"},
                                   {"ATTENTION", "flashinfer"},
                                   {"AIP_PREDICT_ROUTE", "/predict"},
                                   {"AIP_HEALTH_ROUTE", "/live"}}));
  REQUIRE(s);
  CHECK(s->model_id == "/repository");
  CHECK(s->port == 80);
  CHECK(s->hostname == "127.0.0.1");
  CHECK(s->huggingface_hub_cache == "/data");
  CHECK(s->api_key == "key");
  CHECK(s->max_input_tokens == 100u);
  CHECK(s->max_total_tokens == 200u);
  CHECK(s->max_batch_total_tokens == 400u);
  CHECK(s->max_batch_prefill_tokens == 128);
  CHECK(s->max_top_n_tokens == 7);
  CHECK((s->predict_route == "/predict" && s->health_route == "/live"));
  std::string all;
  for (auto& warning : s->warnings)
    all += warning + "\n";
  CHECK(s->cuda_graphs->empty());
  for (auto name : {"HOSTNAME", "NUM_SHARD", "PREFILL_CHUNKING", "ATTENTION"})
    CHECK_THAT(all, Catch::Contains(std::string("environment variable ") + name + " has no effect"));
  CHECK(s->warnings.size() == 4);
}

TEST_CASE("the old name of max-input-tokens and the new one exclude each other, whatever they say") {
  auto both =
      merge_settings({}, env({{"MODEL_ID", "m"}, {"MAX_INPUT_LENGTH", "9"}, {"MAX_INPUT_TOKENS", "9"}}));
  REQUIRE_FALSE(both);
  CHECK(both.error().text ==
        "environment variable MAX_INPUT_TOKENS and environment variable MAX_INPUT_LENGTH mean the same; give "
        "one of "
        "them");
}

TEST_CASE("every variable of TGI's launcher has its row under its own name") {
  for (std::string name : {"MODEL_ID",
                           "REVISION",
                           "LORA_ADAPTERS",
                           "SHARDED",
                           "NUM_SHARD",
                           "QUANTIZE",
                           "SPECULATE",
                           "DTYPE",
                           "KV_CACHE_DTYPE",
                           "MAX_CONCURRENT_REQUESTS",
                           "MAX_BEST_OF",
                           "MAX_STOP_SEQUENCES",
                           "MAX_TOP_N_TOKENS",
                           "MAX_INPUT_TOKENS",
                           "MAX_TOTAL_TOKENS",
                           "MAX_BATCH_PREFILL_TOKENS",
                           "MAX_BATCH_TOTAL_TOKENS",
                           "WAITING_SERVED_RATIO",
                           "MAX_WAITING_TOKENS",
                           "MAX_BATCH_SIZE",
                           "MAX_CLIENT_BATCH_SIZE",
                           "CUDA_GRAPHS",
                           "VALIDATION_WORKERS",
                           "HOSTNAME",
                           "PORT",
                           "PROMETHEUS_PORT",
                           "API_KEY",
                           "CORS_ALLOW_ORIGIN",
                           "PAYLOAD_LIMIT",
                           "JSON_OUTPUT",
                           "OTLP_ENDPOINT",
                           "OTLP_SERVICE_NAME",
                           "DISABLE_GRAMMAR_SUPPORT",
                           "ENABLE_PREFILL_LOGPROBS",
                           "GRACEFUL_TERMINATION_TIMEOUT",
                           "USAGE_STATS",
                           "WATERMARK_GAMMA",
                           "WATERMARK_DELTA",
                           "CUDA_MEMORY_FRACTION",
                           "ROPE_SCALING",
                           "ROPE_FACTOR",
                           "TOKENIZER_CONFIG_PATH",
                           "WEIGHTS_CACHE_OVERRIDE",
                           "TRUST_REMOTE_CODE",
                           "MASTER_ADDR",
                           "MASTER_PORT",
                           "SHARD_UDS_PATH",
                           "DISABLE_CUSTOM_KERNELS",
                           "NGROK",
                           "NGROK_AUTHTOKEN",
                           "NGROK_EDGE",
                           "PREFIX_CACHING",
                           "PREFILL_CHUNKING",
                           "ATTENTION"}) {
    INFO(name);
    auto rows = serve_settings_table();
    CHECK(std::ranges::count(rows, name, &setting::environment) == 1);
  }
}

TEST_CASE("what would change answers if it were ignored is refused from the environment too") {
  for (auto& [name, text] : std::map<std::string, std::string>{{"QUANTIZE", "bitsandbytes"},
                                                               {"SHARDED", "true"},
                                                               {"NUM_SHARD", "2"},
                                                               {"SPECULATE", "3"},
                                                               {"ROPE_FACTOR", "2"}}) {
    INFO(name);
    auto refused = merge_settings({}, env({{"MODEL_ID", "m"}, {name, text}}));
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().text,
               Catch::StartsWith("environment variable " + name + "='" + text + "' is not supported: "));
  }
}

TEST_CASE("an unknown adapter is refused unless the operator wants the base to answer") {
  CHECK_FALSE(merge_settings({{"model-id", "m"}}, env({}))->base_for_unknown);
  CHECK(merge_settings({{"model-id", "m"}, {"unknown-adapter", "base"}}, env({}))->base_for_unknown);
  CHECK(merge_settings({{"model-id", "m"}}, env({{"LORICA_UNKNOWN_ADAPTER", "base"}}))->base_for_unknown);
  auto wrong = merge_settings({{"model-id", "m"}, {"unknown-adapter", "yes"}}, env({}));
  REQUIRE_FALSE(wrong);
  CHECK_THAT(wrong.error().text, Catch::Contains("refuse, base"));
}
