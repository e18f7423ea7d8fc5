#include <map>
#include <set>
#include <vector>

#include "config/setting.hpp"
#include "config/settings.hpp"
#include "tests/catch.hpp"
#include "tests/config/environment.hpp"

using namespace lorica;
using lorica::testing::env;

namespace {

std::string decimal(double number) {
  std::ostringstream out;
  out << number;
  return out.str();
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (auto& item : items)
    out += (out.empty() ? "" : ",") + item;
  return out;
}

std::string joined(const std::vector<std::uint32_t>& numbers) {
  std::vector<std::string> words;
  for (auto n : numbers)
    words.push_back(std::to_string(n));
  return words.empty() ? "0" : joined(words);
}

template <class T>
std::string word(const std::optional<T>& v) {
  return v ? std::to_string(*v) : "unset";
}

std::string word(compute_dtype dtype) {
  if (dtype == compute_dtype::float32) return "float32";
  if (dtype == compute_dtype::int8) return "int8";
  if (dtype == compute_dtype::fp8) return "fp8";
  return dtype == compute_dtype::bfloat16 ? "bfloat16" : "auto";
}

std::string word(std::optional<instruction_set> instructions) {
  constexpr const char* names[] = {"portable", "avx2", "avx_vnni", "avx512"};
  return instructions ? names[static_cast<int>(*instructions)] : "auto";
}

std::string word(device_choice device) {
  constexpr const char* names[] = {"auto", "cpu", "cuda"};
  return names[static_cast<int>(device)];
}

std::string word(log_level level) {
  constexpr const char* names[] = {"debug", "info", "warn", "error"};
  return names[static_cast<int>(level)];
}

/// Every served setting as it came out, by flag.
std::map<std::string, std::string> outcome(const serve_settings& s) {
  return {{"model-id", s.model_id},
          {"revision", s.revision},
          {"huggingface-hub-cache", s.huggingface_hub_cache},
          {"served-model-name", joined(s.served_model_names)},
          {"chat-template", s.chat_template},
          {"watermark-gamma", decimal(s.watermark_gamma)},
          {"watermark-delta", decimal(static_cast<double>(s.watermark_delta))},
          {"prefix-caching", s.prefix_caching ? "true" : "false"},
          {"schedule-policy", s.first_come_first_served ? "fcfs" : "fair"},
          {"inter-token-target", std::to_string(s.inter_token_target)},
          {"queue-age-limit", std::to_string(s.queue_age_limit)},
          {"lora-adapters", s.lora_adapters},
          {"adapter-root", joined(s.adapter_roots)},
          {"dynamic-adapters", s.dynamic_adapters},
          {"unknown-adapter", s.base_for_unknown ? "base" : "refuse"},
          {"dynamic-hub-allow", joined(s.dynamic_hub_allow)},
          {"adapter-device-memory", std::to_string(s.adapter_device_memory)},
          {"adapter-host-memory", std::to_string(s.adapter_host_memory)},
          {"adapter-eviction", s.evict_least_recent ? "lru" : "gdsf"},
          {"adapter-wait", std::to_string(s.adapter_wait)},
          {"adapter-drain-after", std::to_string(s.adapter_drain_after)},
          {"skip-bad-adapters", s.skip_bad_adapters ? "true" : "false"},
          {"hostname", s.hostname},
          {"port", std::to_string(s.port)},
          {"device", word(s.device)},
          {"cuda-memory-fraction", decimal(s.cuda_memory_fraction)},
          {"cuda-graphs", s.cuda_graphs ? joined(*s.cuda_graphs) : "unset"},
          {"deterministic", s.deterministic ? "true" : "false"},
          {"dtype", word(s.dtype)},
          {"adapter-dtype", word(s.adapter_dtype)},
          {"kv-cache-dtype", word(s.kv_cache_dtype)},
          {"isa", word(s.instructions)},
          {"threads", word(s.threads)},
          {"kv-memory", word(s.kv_memory)},
          {"max-concurrent-requests", std::to_string(s.max_concurrent_requests)},
          {"max-input-tokens", word(s.max_input_tokens)},
          {"max-total-tokens", word(s.max_total_tokens)},
          {"max-batch-prefill-tokens", std::to_string(s.max_batch_prefill_tokens)},
          {"max-batch-total-tokens", word(s.max_batch_total_tokens)},
          {"max-batch-size", std::to_string(s.max_batch_size)},
          {"max-stop-sequences", std::to_string(s.max_stop_sequences)},
          {"max-top-n-tokens", std::to_string(s.max_top_n_tokens)},
          {"max-best-of", std::to_string(s.max_best_of)},
          {"max-client-batch-size", std::to_string(s.max_client_batch_size)},
          {"validation-workers", std::to_string(s.validation_workers)},
          {"api-key", s.api_key},
          {"api-key-file", s.api_key_file},
          {"admin-api-key", s.admin_api_key},
          {"admin-api-key-file", s.admin_api_key_file},
          {"tls-cert", s.tls_cert},
          {"tls-key", s.tls_key},
          {"max-connections", std::to_string(s.max_connections)},
          {"max-connections-per-address", std::to_string(s.max_connections_per_address)},
          {"half-close-grace", std::to_string(s.half_close_grace)},
          {"payload-limit", std::to_string(s.payload_limit)},
          {"predict-route", s.predict_route},
          {"health-route", s.health_route},
          {"cors-allow-origin", joined(s.cors_allow_origin)},
          {"graceful-termination-timeout", std::to_string(s.graceful_termination_timeout)},
          {"data-dir", s.data_dir},
          {"packed-cache", s.packed_cache},
          {"json-output", s.json_output ? "true" : "false"},
          {"log-level", word(s.least_log_level)}};
}

/// Two different values that a setting takes, neither of them its default where there is a third.
std::pair<std::string, std::string> two_values(const setting& row) {
  if (row.flag == "hostname") return {"0.0.0.0", "::1"};
  if (row.flag == "half-close-grace") return {"7", "9"};
  if (row.flag == "watermark-gamma") return {"0.25", "0.75"};
  if (row.flag == "watermark-delta") return {"1.5", "3"};
  if (row.flag == "cuda-memory-fraction") return {"0.5", "0.25"};
  if (row.flag == "cors-allow-origin")
    return {"https://a.example,http://b.example:8080", "https://c.example"};
  switch (row.kind) {
    case setting_kind::integer:
    case setting_kind::bytes: return {std::to_string(row.least + 3), std::to_string(row.least + 5)};
    case setting_kind::flag: return {"true", "false"};
    case setting_kind::choice:
      if (row.flag == "device") return {"cuda", "cpu"};
      if (row.flag == "dynamic-adapters") return {"off", "root"};
      if (row.flag == "unknown-adapter") return {"refuse", "base"};
      if (row.flag == "adapter-eviction") return {"lru", "gdsf"};
      if (row.flag == "isa") return {"avx2", "portable"};
      if (row.flag == "schedule-policy") return {"fcfs", "fair"};
      if (row.flag == "adapter-dtype" || row.flag == "kv-cache-dtype") return {"bfloat16", "int8"};
      return row.flag == "dtype" ? std::pair("float32", "fp8") : std::pair("debug", "error");
    case setting_kind::numbers: return {"1,2,48", "0"};
    case setting_kind::list: return {"a,b", "c"};
    default: return {"one", "two"};
  }
}

/// A value as TOML writes it.
std::string toml(const setting& row, const std::string& value) {
  bool plain =
      row.kind == setting_kind::integer || row.kind == setting_kind::bytes || row.kind == setting_kind::flag;
  return plain ? value : '"' + value + '"';
}

/// The layers above the defaults. An absent value leaves the layer without the setting.
struct layers {
  std::optional<std::string> file = {};
  std::optional<std::string> environment = {};
  std::optional<std::string> flag = {};
};

result<serve_settings> merge(const setting& row, const layers& given) {
  std::string text = row.flag == "model-id" ? "" : "model-id = \"m\"\n";
  if (given.file) text += std::string(row.flag) + " = " + toml(row, *given.file) + "\n";
  auto file = parse_config_file(text, "test.toml");
  if (!file) return std::move(file).error();
  std::map<std::string, std::string> variables;
  if (given.environment) variables[std::string(row.environment)] = *given.environment;
  flag_values flags;
  if (given.flag) flags[std::string(row.flag)] = *given.flag;
  return merge_settings(flags, env(variables), *file);
}

std::string merged(const setting& row, const layers& given) {
  auto s = merge(row, given);
  if (!s) return "error: " + s.error().text;
  return outcome(*s).at(std::string(row.flag));
}

/// What is said about a setting without effect: the warning or the error that names it.
std::string said(const setting& row, const layers& given) {
  auto s = merge(row, given);
  if (!s) return s.error().text;
  return joined(s->warnings);
}

std::vector<setting> rows_of(std::set<setting_use> uses) {
  std::vector<setting> out;
  for (auto& row : serve_settings_table())
    if (uses.contains(row.use) && row.in_file) out.push_back(row);
  return out;
}

}  // namespace

TEST_CASE("a served setting is taken from every layer, and the higher of two layers counts") {
  auto defaults = merge_settings({{"model-id", "m"}}, env({}));
  REQUIRE(defaults);
  auto without = outcome(*defaults);
  for (auto& row : rows_of({setting_use::served})) {
    INFO("setting " << row.flag);
    REQUIRE(without.contains(std::string(row.flag)));
    auto [a, b] = two_values(row);
    if (!row.fallback.empty()) CHECK(merged(row, {}) == row.fallback);
    for (auto& [low, high] : {std::pair(a, b), std::pair(b, a)}) {
      CHECK(merged(row, {.file = low}) == low);
      CHECK(merged(row, {.environment = low}) == low);
      CHECK(merged(row, {.flag = low}) == low);
      CHECK(merged(row, {.file = low, .environment = high}) == high);
      CHECK(merged(row, {.file = low, .flag = high}) == high);
      CHECK(merged(row, {.environment = low, .flag = high}) == high);
      CHECK(merged(row, {.file = low, .environment = low, .flag = high}) == high);
      CHECK(merged(row, {.file = low, .environment = high, .flag = high}) == high);
    }
  }
}

TEST_CASE("a setting without effect is told from the layer that counts") {
  for (auto& row : rows_of({setting_use::harmless, setting_use::refused})) {
    INFO("setting " << row.flag);
    auto neutral = std::string(row.neutral.substr(0, row.neutral.find('|')));
    auto value = neutral.empty() ? "some" : neutral;
    auto in_file = Catch::StartsWith("test.toml:2: " + std::string(row.flag));
    auto in_environment = Catch::StartsWith("environment variable " + std::string(row.environment));
    auto in_flag = Catch::StartsWith("--" + std::string(row.flag));
    CHECK_THAT(said(row, {.file = value}), in_file);
    CHECK_THAT(said(row, {.environment = value}), in_environment);
    CHECK_THAT(said(row, {.flag = value}), in_flag);
    CHECK_THAT(said(row, {.file = value, .environment = value}), in_environment);
    CHECK_THAT(said(row, {.file = value, .flag = value}), in_flag);
    CHECK_THAT(said(row, {.environment = value, .flag = value}), in_flag);
  }
}

TEST_CASE("a refused value of a lower layer does not matter when a higher one is accepted") {
  auto& row = *find_setting("num-shard");
  CHECK_FALSE(merge(row, {.file = "2"}));
  CHECK(merge(row, {.file = "2", .environment = "1"}));
  CHECK_FALSE(merge(row, {.file = "1", .environment = "2"}));
}

TEST_CASE("an alias belongs to its layer") {
  auto file = parse_config_file("model-id = \"m\"\nmax-input-length = 7\n", "test.toml");
  REQUIRE(file);
  auto from_file = merge_settings({}, env({}), *file);
  REQUIRE(from_file);
  CHECK(from_file->max_input_tokens == 7);
  auto from_environment = merge_settings({}, env({{"MAX_INPUT_TOKENS", "8"}}), *file);
  REQUIRE(from_environment);
  CHECK(from_environment->max_input_tokens == 8);
  auto from_flag = merge_settings({{"max-input-length", "9"}}, env({{"MAX_INPUT_TOKENS", "8"}}), *file);
  REQUIRE(from_flag);
  CHECK(from_flag->max_input_tokens == 9);
  auto twice = parse_config_file("model-id = \"m\"\nmax-input-length = 7\nmax-input-tokens = 7\n", "t.toml");
  REQUIRE(twice);
  auto both = merge_settings({}, env({}), *twice);
  REQUIRE_FALSE(both);
  CHECK_THAT(both.error().text, Catch::Contains("t.toml:2: max-input-length") &&
                                    Catch::Contains("t.toml:3: max-input-tokens") &&
                                    Catch::Contains("give one"));
}

TEST_CASE("a HOSTNAME that is no address leaves the file's in force") {
  auto& row = *find_setting("hostname");
  CHECK(merged(row, {.file = "0.0.0.0", .environment = "3f2a9c"}) == "0.0.0.0");
}

TEST_CASE("the first name of the cache counts, and the older one stands in for it") {
  auto cache = [](std::map<std::string, std::string> variables) {
    return merge_settings({{"model-id", "m"}}, env(std::move(variables)))->huggingface_hub_cache;
  };
  CHECK(cache({{"HUGGINGFACE_HUB_CACHE", "old"}}) == "old");
  CHECK(cache({{"HF_HUB_CACHE", "new"}, {"HUGGINGFACE_HUB_CACHE", "old"}}) == "new");
  CHECK(cache({{"HF_HUB_CACHE", ""}, {"HUGGINGFACE_HUB_CACHE", "old"}}) == "old");
}
