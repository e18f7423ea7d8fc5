#include "config/settings.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "config/setting.hpp"
#include "core/checked.hpp"

namespace lorica {
namespace {

/// A value and the words that say where it came from.
struct given {
  std::string text;
  std::string origin;
};

std::string environment_name(std::string_view flag) {
  std::string out;
  for (char c : flag)
    out += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

bool contains_choice(std::string_view choices, std::string_view wanted) {
  while (!choices.empty()) {
    auto bar = choices.find('|');
    if (choices.substr(0, bar) == wanted) return true;
    if (bar == std::string_view::npos) return false;
    choices.remove_prefix(bar + 1);
  }
  return false;
}

error wrong(const given& v, std::string_view allowed) {
  return fail(errc::bad_config,
              v.origin + ": '" + v.text + "' is not allowed; expected " + std::string(allowed));
}

bool is_listen_address(const std::string& text) {
  in_addr v4{};
  in6_addr v6{};
  return text == "localhost" || inet_pton(AF_INET, text.c_str(), &v4) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &v6) == 1;
}

/// Finds, checks and converts single settings.
class reader {
 public:
  reader(const flag_values& flags, const environment_reader& environment, const file_values& file)
      : flags_(flags), environment_(environment), file_(file) {}

  /// The text of a setting from the highest layer that has it; the default counts as a layer.
  result<std::optional<given>> find(const setting& row) const {
    auto found = one_of(from_flags(row.flag), from_flags(row.alias));
    if (!found || *found) return found;
    found = one_of(from_environment(row), from_environment(environment_name(row.alias), row));
    if (!found || *found) return found;
    found = one_of(from_file(row.flag), from_file(row.alias));
    if (!found || *found || row.fallback.empty()) return found;
    return std::optional<given>(given{std::string(row.fallback), "default of --" + std::string(row.flag)});
  }

 private:
  /// What a layer has of a setting, under its name or its alias.
  static result<std::optional<given>> one_of(std::optional<given> first, std::optional<given> second) {
    if (first && second)
      return fail(errc::bad_config,
                  first->origin + " and " + second->origin + " mean the same; give one of them");
    return first ? std::move(first) : std::move(second);
  }

  std::optional<given> from_flags(std::string_view name) const {
    auto it = flags_.find(name);
    if (it == flags_.end()) return std::nullopt;
    return given{it->second, "--" + std::string(name)};
  }

  std::optional<given> from_environment(const setting& row) const {
    auto first = from_environment(std::string(row.environment), row);
    return first ? first : from_environment(std::string(row.second_environment), row);
  }

  std::optional<given> from_environment(const std::string& name, const setting& row) const {
    if (name.empty()) return std::nullopt;
    auto text = environment_(name);
    if (!text || text->empty()) return std::nullopt;
    // Containers put their own name into HOSTNAME.
    if (row.flag == "hostname" && !is_listen_address(*text)) return std::nullopt;
    return given{*text, "environment variable " + name};
  }

  std::optional<given> from_file(std::string_view name) const {
    auto it = file_.find(name);
    if (it == file_.end()) return std::nullopt;
    return given{it->second.text, it->second.origin};
  }

  const flag_values& flags_;
  const environment_reader& environment_;
  const file_values& file_;
};

result<std::int64_t> to_integer(const setting& row, const given& v) {
  std::int64_t out = 0;
  auto [end, code] = std::from_chars(v.text.data(), v.text.data() + v.text.size(), out);
  bool whole = code == std::errc{} && end == v.text.data() + v.text.size();
  if (!whole || out < row.least || out > row.most) return wrong(v, allowed_values(row));
  return out;
}

result<std::int64_t> to_bytes(const setting& row, const given& v) {
  auto allowed = allowed_values(row);
  std::int64_t number = 0;
  auto [end, code] = std::from_chars(v.text.data(), v.text.data() + v.text.size(), number);
  if (code != std::errc{}) return wrong(v, allowed);
  std::string_view unit(end, static_cast<std::size_t>(v.text.data() + v.text.size() - end));
  std::int64_t factor = 0;
  if (unit.empty()) factor = 1;
  if (unit == "K" || unit == "KiB" || unit == "k") factor = 1 << 10;
  if (unit == "M" || unit == "MiB" || unit == "m") factor = 1 << 20;
  if (unit == "G" || unit == "GiB" || unit == "g") factor = 1 << 30;
  auto total = checked_mul(number, factor);
  if (factor == 0 || !total || *total < row.least || *total > row.most) return wrong(v, allowed);
  return *total;
}

result<bool> to_flag(const setting& row, const given& v) {
  if (v.text == "true" || v.text == "1" || v.text == "yes") return true;
  if (v.text == "false" || v.text == "0" || v.text == "no") return false;
  return wrong(v, allowed_values(row));
}

result<std::vector<std::string>> to_list(const setting& row, const given& v) {
  std::vector<std::string> out;
  std::string_view rest = v.text;
  if (rest.empty()) return out;
  while (true) {
    auto comma = rest.find(',');
    auto item = rest.substr(0, comma);
    if (item.empty()) return wrong(v, allowed_values(row));
    out.emplace_back(item);
    if (comma == std::string_view::npos) return out;
    rest.remove_prefix(comma + 1);
  }
}

/// Ascending, each once; none of them for 0 alone.
result<std::vector<std::uint32_t>> to_numbers(const setting& row, const given& v) {
  std::vector<std::uint32_t> out;
  if (v.text == "0") return out;
  auto texts = to_list(row, v);
  if (!texts) return std::move(texts).error();
  for (auto& text : *texts) {
    auto number = to_integer(row, {text, v.origin});
    if (!number) return wrong(v, allowed_values(row));
    out.push_back(static_cast<std::uint32_t>(*number));
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

/// All values by flag, checked against their rows; conversions below cannot fail any more.
class checked_values {
 public:
  static result<checked_values> read(const flag_values& flags, const environment_reader& environment,
                                     const file_values& file) {
    for (auto& [name, text] : flags)
      if (!find_setting(name))
        return fail(errc::bad_config, "--" + name + " is not a setting; see lorica serve --help");
    checked_values out;
    reader source(flags, environment, file);
    for (auto& row : serve_settings_table()) {
      auto found = source.find(row);
      if (!found) return std::move(found).error();
      if (!*found) continue;
      if (auto ok = out.take(row, **found); !ok) return ok.error();
    }
    return out;
  }

  bool has(std::string_view flag) const { return texts_.contains(flag) || numbers_.contains(flag); }
  std::string text(std::string_view flag) const {
    auto it = texts_.find(flag);
    return it == texts_.end() ? std::string() : it->second;
  }
  std::int64_t number(std::string_view flag) const { return numbers_.find(flag)->second; }
  std::optional<std::uint32_t> count(std::string_view flag) const {
    auto it = numbers_.find(flag);
    if (it == numbers_.end()) return std::nullopt;
    return static_cast<std::uint32_t>(it->second);
  }
  std::optional<std::vector<std::uint32_t>> counts(std::string_view flag) const {
    auto it = number_lists_.find(flag);
    if (it == number_lists_.end()) return std::nullopt;
    return it->second;
  }
  std::vector<std::string> list(std::string_view flag) const {
    auto it = lists_.find(flag);
    return it == lists_.end() ? std::vector<std::string>() : it->second;
  }
  std::vector<std::string> warnings;

 private:
  result<void> take(const setting& row, const given& v) {
    if (row.use == setting_use::harmless) {
      warnings.push_back(v.origin + " has no effect: " + std::string(row.text));
      return {};
    }
    if (row.use == setting_use::refused) {
      if (!contains_choice(row.neutral, v.text))
        return fail(errc::bad_config, v.origin + (row.secret ? "" : "='" + v.text + "'") +
                                          " is not supported: " + std::string(row.text));
      warnings.push_back(v.origin + " has no effect at this value");
      return {};
    }
    std::string flag(row.flag);
    if (row.kind == setting_kind::integer || row.kind == setting_kind::bytes) {
      auto n = row.kind == setting_kind::integer ? to_integer(row, v) : to_bytes(row, v);
      if (!n) return std::move(n).error();
      numbers_[flag] = *n;
      return {};
    }
    if (row.kind == setting_kind::flag) {
      auto b = to_flag(row, v);
      if (!b) return std::move(b).error();
      numbers_[flag] = *b ? 1 : 0;
      return {};
    }
    if (row.kind == setting_kind::choice && !contains_choice(row.choices, v.text))
      return wrong(v, allowed_values(row));
    if (row.flag == "hostname" && !is_listen_address(v.text)) return wrong(v, allowed_values(row));
    if (row.kind == setting_kind::numbers) {
      auto items = to_numbers(row, v);
      if (!items) return std::move(items).error();
      number_lists_[flag] = *std::move(items);
      return {};
    }
    if (row.kind == setting_kind::list) {
      auto items = to_list(row, v);
      if (!items) return std::move(items).error();
      lists_[flag] = *std::move(items);
    }
    texts_[flag] = v.text;
    return {};
  }

  std::map<std::string, std::string, std::less<>> texts_;
  std::map<std::string, std::int64_t, std::less<>> numbers_;
  std::map<std::string, std::vector<std::string>, std::less<>> lists_;
  std::map<std::string, std::vector<std::uint32_t>, std::less<>> number_lists_;
};

device_choice to_device(std::string_view text) {
  if (text == "cuda") return device_choice::cuda;
  return text == "cpu" ? device_choice::cpu : device_choice::automatic;
}

compute_dtype to_dtype(const std::string& text) {
  if (text == "float32") return compute_dtype::float32;
  if (text == "int8") return compute_dtype::int8;
  if (text == "fp8") return compute_dtype::fp8;
  return text == "bfloat16" ? compute_dtype::bfloat16 : compute_dtype::automatic;
}

std::optional<instruction_set> to_instructions(const std::string& text) {
  if (text == "avx512") return instruction_set::avx512;
  if (text == "avx_vnni") return instruction_set::avx_vnni;
  if (text == "avx2") return instruction_set::avx2;
  if (text == "portable") return instruction_set::portable;
  return std::nullopt;
}

log_level to_log_level(const std::string& text) {
  if (text == "debug") return log_level::debug;
  if (text == "warn") return log_level::warn;
  return text == "error" ? log_level::error : log_level::info;
}

/// An origin as browsers send it: scheme, host and port, nothing behind.
bool is_origin(std::string_view text) {
  for (std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    return !text.empty() && text.find_first_of("/?#@* \t") == text.npos;
  }
  return false;
}

/// A number above 0 and up to `most`, or below it.
result<double> to_decimal(std::string_view flag, const std::string& text, double most, bool below) {
  double out = 0;
  auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), out);
  bool whole = code == std::errc{} && end == text.data() + text.size();
  if (whole && out > 0 && (below ? out < most : out <= most)) return out;
  return fail(errc::bad_config, "--" + std::string(flag) + ": '" + text +
                                    "' is not allowed; expected a number above 0 and " +
                                    (below ? "below " : "at most ") + std::to_string(static_cast<int>(most)));
}

/// Rules between settings.
result<void> check_together(const serve_settings& s) {
  if (s.model_id.empty())
    return fail(errc::bad_config,
                "--model-id is required: a Hugging Face directory, a .gguf file, or ORG/NAME "
                "as the Hugging Face cache has it");
  if (s.max_input_tokens && s.max_total_tokens && *s.max_input_tokens >= *s.max_total_tokens)
    return fail(errc::bad_config, "--max-input-tokens: '" + std::to_string(*s.max_input_tokens) +
                                      "' is not allowed; expected less than --max-total-tokens (" +
                                      std::to_string(*s.max_total_tokens) + ")");
  if (s.max_batch_total_tokens && s.max_total_tokens && *s.max_batch_total_tokens < *s.max_total_tokens)
    return fail(errc::bad_config, "--max-batch-total-tokens: '" + std::to_string(*s.max_batch_total_tokens) +
                                      "' is not allowed; expected at least --max-total-tokens (" +
                                      std::to_string(*s.max_total_tokens) + ")");
  if (s.dynamic_adapters == "hub" && s.dynamic_hub_allow.empty())
    return fail(errc::bad_config,
                "--dynamic-adapters: 'hub' is not allowed alone; expected --dynamic-hub-allow with the "
                "organisations whose adapters requests may name");
  if (!s.api_key.empty() && s.api_key == s.admin_api_key)
    return fail(
        errc::bad_config,
        "--admin-api-key: the same key as --api-key is not allowed; every client could change adapters");
  for (auto& origin : s.cors_allow_origin)
    if (!is_origin(origin))
      return fail(errc::bad_config,
                  "--cors-allow-origin: '" + origin +
                      "' is not allowed; expected https://HOST[:PORT] or http://HOST[:PORT], "
                      "without a path; there is no word for all origins");
  return {};
}

}  // namespace

result<serve_settings> merge_settings(const flag_values& flags, const environment_reader& environment,
                                      const file_values& file) {
  auto values = checked_values::read(flags, environment, file);
  if (!values) return std::move(values).error();
  auto& v = *values;
  serve_settings s;
  s.model_id = v.text("model-id");
  s.revision = v.text("revision");
  s.huggingface_hub_cache = v.text("huggingface-hub-cache");
  s.served_model_names = v.list("served-model-name");
  s.chat_template = v.text("chat-template");
  s.lora_adapters = v.text("lora-adapters");
  s.prefix_caching = v.number("prefix-caching") != 0;
  s.first_come_first_served = v.text("schedule-policy") == "fcfs";
  s.inter_token_target = *v.count("inter-token-target");
  s.queue_age_limit = *v.count("queue-age-limit");
  auto gamma = to_decimal("watermark-gamma", v.text("watermark-gamma"), 1, /*below=*/true);
  if (!gamma) return std::move(gamma).error();
  s.watermark_gamma = *gamma;
  auto delta = to_decimal("watermark-delta", v.text("watermark-delta"), 100, /*below=*/false);
  if (!delta) return std::move(delta).error();
  s.watermark_delta = static_cast<float>(*delta);
  s.skip_bad_adapters = v.number("skip-bad-adapters") != 0;
  s.adapter_roots = v.list("adapter-root");
  s.dynamic_adapters = v.text("dynamic-adapters");
  s.dynamic_hub_allow = v.list("dynamic-hub-allow");
  s.base_for_unknown = v.text("unknown-adapter") == "base";
  s.adapter_device_memory = static_cast<std::uint64_t>(v.number("adapter-device-memory"));
  s.adapter_host_memory = static_cast<std::uint64_t>(v.number("adapter-host-memory"));
  s.evict_least_recent = v.text("adapter-eviction") == "lru";
  s.adapter_wait = *v.count("adapter-wait");
  s.adapter_drain_after = *v.count("adapter-drain-after");
  s.hostname = v.text("hostname") == "localhost" ? "127.0.0.1" : v.text("hostname");
  if (auto said = environment("HOSTNAME"); said && !said->empty() && !is_listen_address(*said))
    v.warnings.push_back("environment variable HOSTNAME has no effect: it is no IP address; see --hostname");
  s.port = static_cast<std::uint16_t>(v.number("port"));
  s.device = to_device(v.text("device"));
  auto fraction = to_decimal("cuda-memory-fraction", v.text("cuda-memory-fraction"), 1, /*below=*/false);
  if (!fraction) return std::move(fraction).error();
  s.cuda_memory_fraction = *fraction;
  s.cuda_graphs = v.counts("cuda-graphs");
  s.deterministic = v.number("deterministic") != 0;
  s.dtype = to_dtype(v.text("dtype"));
  s.adapter_dtype = to_dtype(v.text("adapter-dtype"));
  s.kv_cache_dtype = to_dtype(v.text("kv-cache-dtype"));
  if (v.text("dtype") == "float16") v.warnings.push_back("--dtype float16 is taken as auto on a CPU");
  s.instructions = to_instructions(v.text("isa"));
  s.threads = v.count("threads");
  if (v.has("kv-memory")) s.kv_memory = static_cast<std::uint64_t>(v.number("kv-memory"));
  s.max_concurrent_requests = *v.count("max-concurrent-requests");
  s.max_input_tokens = v.count("max-input-tokens");
  s.max_total_tokens = v.count("max-total-tokens");
  s.max_batch_prefill_tokens = *v.count("max-batch-prefill-tokens");
  s.max_batch_total_tokens = v.count("max-batch-total-tokens");
  s.max_batch_size = *v.count("max-batch-size");
  s.max_stop_sequences = *v.count("max-stop-sequences");
  s.max_best_of = *v.count("max-best-of");
  s.max_top_n_tokens = *v.count("max-top-n-tokens");
  s.max_client_batch_size = *v.count("max-client-batch-size");
  s.validation_workers = *v.count("validation-workers");
  s.api_key = v.text("api-key");
  s.api_key_file = v.text("api-key-file");
  s.admin_api_key = v.text("admin-api-key");
  s.admin_api_key_file = v.text("admin-api-key-file");
  s.tls_cert = v.text("tls-cert");
  s.tls_key = v.text("tls-key");
  s.max_connections = *v.count("max-connections");
  s.max_connections_per_address = *v.count("max-connections-per-address");
  s.half_close_grace = *v.count("half-close-grace");
  s.payload_limit = static_cast<std::uint64_t>(v.number("payload-limit"));
  s.cors_allow_origin = v.list("cors-allow-origin");
  s.predict_route = v.text("predict-route");
  s.health_route = v.text("health-route");
  s.graceful_termination_timeout = *v.count("graceful-termination-timeout");
  s.data_dir = v.text("data-dir");
  s.packed_cache = v.text("packed-cache");
  s.json_output = v.number("json-output") != 0;
  s.least_log_level = to_log_level(v.text("log-level"));
  s.warnings = std::move(v.warnings);
  if (auto ok = check_together(s); !ok) return ok.error();
  return s;
}

result<serve_settings> load_settings(const flag_values& flags, const environment_reader& environment) {
  const file_values none;
  auto path = reader(flags, environment, none).find(*find_setting("config"));
  if (!path) return std::move(path).error();
  if (!*path || (*path)->text.empty()) return merge_settings(flags, environment, none);
  auto file = read_config_file((*path)->text, (*path)->origin);
  if (!file) return std::move(file).error();
  return merge_settings(flags, environment, *file);
}

}  // namespace lorica
