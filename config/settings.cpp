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

std::string spelled_choices(std::string_view choices) {
  std::string out;
  for (char c : choices)
    out += c == '|' ? std::string(", ") : std::string(1, c);
  return out;
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
  reader(const flag_values& flags, const environment_reader& environment)
      : flags_(flags), environment_(environment) {}

  /// The text of a setting from the highest layer that has it; the default counts as a layer.
  result<std::optional<given>> find(const setting& row) const {
    std::optional<given> flag = from_flags(row.flag);
    if (!row.alias.empty()) {
      auto second = from_flags(row.alias);
      if (flag && second)
        return fail(errc::bad_config,
                    flag->origin + " and " + second->origin + " mean the same; give one of them");
      if (second) flag = second;
    }
    if (flag) return flag;
    std::optional<given> env = from_environment(std::string(row.environment), row);
    if (!row.alias.empty()) {
      auto second = from_environment(environment_name(row.alias), row);
      if (env && second)
        return fail(errc::bad_config,
                    env->origin + " and " + second->origin + " mean the same; give one of them");
      if (second) env = second;
    }
    if (env) return env;
    if (row.fallback.empty()) return std::optional<given>{};
    return std::optional<given>(given{std::string(row.fallback), "default of --" + std::string(row.flag)});
  }

 private:
  std::optional<given> from_flags(std::string_view name) const {
    auto it = flags_.find(name);
    if (it == flags_.end()) return std::nullopt;
    return given{it->second, "--" + std::string(name)};
  }

  std::optional<given> from_environment(const std::string& name, const setting& row) const {
    if (name.empty()) return std::nullopt;
    auto text = environment_(name);
    if (!text || text->empty()) return std::nullopt;
    // Containers put their own name into HOSTNAME.
    if (row.flag == "hostname" && !is_listen_address(*text)) return std::nullopt;
    return given{*text, "environment variable " + name};
  }

  const flag_values& flags_;
  const environment_reader& environment_;
};

result<std::int64_t> to_integer(const setting& row, const given& v) {
  std::int64_t out = 0;
  auto [end, code] = std::from_chars(v.text.data(), v.text.data() + v.text.size(), out);
  bool whole = code == std::errc{} && end == v.text.data() + v.text.size();
  if (!whole || out < row.least || out > row.most)
    return wrong(v, "a whole number from " + std::to_string(row.least) + " to " + std::to_string(row.most));
  return out;
}

result<std::int64_t> to_bytes(const setting& row, const given& v) {
  auto allowed =
      "bytes from " + std::to_string(row.least) + " to " + std::to_string(row.most) + ", such as 512M or 4G";
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

result<bool> to_flag(const given& v) {
  if (v.text == "true" || v.text == "1" || v.text == "yes") return true;
  if (v.text == "false" || v.text == "0" || v.text == "no") return false;
  return wrong(v, "true or false");
}

result<std::vector<std::string>> to_list(const given& v) {
  std::vector<std::string> out;
  std::string_view rest = v.text;
  while (true) {
    auto comma = rest.find(',');
    auto item = rest.substr(0, comma);
    if (item.empty()) return wrong(v, "names separated by commas, none of them empty");
    out.emplace_back(item);
    if (comma == std::string_view::npos) return out;
    rest.remove_prefix(comma + 1);
  }
}

/// All values by flag, checked against their rows; conversions below cannot fail any more.
class checked_values {
 public:
  static result<checked_values> read(const flag_values& flags, const environment_reader& environment) {
    for (auto& [name, text] : flags)
      if (!find_setting(name))
        return fail(errc::bad_config, "--" + name + " is not a setting; see lorica serve --help");
    checked_values out;
    reader source(flags, environment);
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
        return fail(errc::bad_config,
                    v.origin + "='" + v.text + "' is not supported: " + std::string(row.text));
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
      auto b = to_flag(v);
      if (!b) return std::move(b).error();
      numbers_[flag] = *b ? 1 : 0;
      return {};
    }
    if (row.kind == setting_kind::choice && !contains_choice(row.choices, v.text))
      return wrong(v, "one of " + spelled_choices(row.choices));
    if (row.flag == "hostname" && !is_listen_address(v.text)) return wrong(v, "an IP address or localhost");
    if (row.flag == "served-model-name" || row.flag == "cors-allow-origin") {
      auto items = to_list(v);
      if (!items) return std::move(items).error();
      lists_[flag] = *std::move(items);
    }
    texts_[flag] = v.text;
    return {};
  }

  std::map<std::string, std::string, std::less<>> texts_;
  std::map<std::string, std::int64_t, std::less<>> numbers_;
  std::map<std::string, std::vector<std::string>, std::less<>> lists_;
};

compute_dtype to_dtype(const std::string& text) {
  if (text == "float32") return compute_dtype::float32;
  return text == "bfloat16" ? compute_dtype::bfloat16 : compute_dtype::automatic;
}

log_level to_log_level(const std::string& text) {
  if (text == "debug") return log_level::debug;
  if (text == "warn") return log_level::warn;
  return text == "error" ? log_level::error : log_level::info;
}

/// Rules between settings.
result<void> check_together(const serve_settings& s) {
  if (s.model_id.empty())
    return fail(errc::bad_config, "--model-id is required: a Hugging Face directory or a .gguf file");
  if (s.max_input_tokens && s.max_total_tokens && *s.max_input_tokens >= *s.max_total_tokens)
    return fail(errc::bad_config, "--max-input-tokens: '" + std::to_string(*s.max_input_tokens) +
                                      "' is not allowed; expected less than --max-total-tokens (" +
                                      std::to_string(*s.max_total_tokens) + ")");
  if (s.max_batch_total_tokens && s.max_total_tokens && *s.max_batch_total_tokens < *s.max_total_tokens)
    return fail(errc::bad_config, "--max-batch-total-tokens: '" + std::to_string(*s.max_batch_total_tokens) +
                                      "' is not allowed; expected at least --max-total-tokens (" +
                                      std::to_string(*s.max_total_tokens) + ")");
  return {};
}

}  // namespace

result<serve_settings> merge_settings(const flag_values& flags, const environment_reader& environment) {
  auto values = checked_values::read(flags, environment);
  if (!values) return std::move(values).error();
  auto& v = *values;
  serve_settings s;
  s.model_id = v.text("model-id");
  s.served_model_names = v.list("served-model-name");
  s.lora_adapters = v.text("lora-adapters");
  s.skip_bad_adapters = v.number("skip-bad-adapters") != 0;
  s.hostname = v.text("hostname") == "localhost" ? "127.0.0.1" : v.text("hostname");
  s.port = static_cast<std::uint16_t>(v.number("port"));
  s.dtype = to_dtype(v.text("dtype"));
  if (v.text("dtype") == "float16") v.warnings.push_back("--dtype float16 is taken as auto on a CPU");
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
  s.max_client_batch_size = *v.count("max-client-batch-size");
  s.validation_workers = *v.count("validation-workers");
  s.api_key = v.text("api-key");
  s.payload_limit = static_cast<std::uint64_t>(v.number("payload-limit"));
  s.cors_allow_origin = v.list("cors-allow-origin");
  s.graceful_termination_timeout = *v.count("graceful-termination-timeout");
  s.data_dir = v.text("data-dir");
  s.json_output = v.number("json-output") != 0;
  s.least_log_level = to_log_level(v.text("log-level"));
  s.warnings = std::move(v.warnings);
  if (auto ok = check_together(s); !ok) return ok.error();
  return s;
}

std::string settings_markdown() {
  std::string out =
      "# Settings of `lorica serve`\n\nMade from the table in `config/settings_table.cpp`. Flags beat "
      "environment "
      "variables, which beat defaults.\n\n| flag | environment | default | allowed | meaning "
      "|\n|---|---|---|---|---|\n";
  auto line = [&](const setting& row) {
    std::string allowed;
    if (row.kind == setting_kind::integer || row.kind == setting_kind::bytes)
      allowed = std::to_string(row.least) + " to " + std::to_string(row.most);
    if (row.kind == setting_kind::flag) allowed = "true, false";
    if (row.kind == setting_kind::choice) allowed = spelled_choices(row.choices);
    out += "| `--" + std::string(row.flag) + "`";
    if (!row.alias.empty()) out += " (also `--" + std::string(row.alias) + "`)";
    out += " | `" + std::string(row.environment) + "` | " + std::string(row.fallback) + " | " + allowed +
           " | " + std::string(row.text) + " |\n";
  };
  for (auto& row : serve_settings_table())
    if (row.use == setting_use::served) line(row);
  out +=
      "\n## Known from TGI, accepted with a warning\n\n| flag | environment | why it has no effect "
      "|\n|---|---|---|\n";
  for (auto& row : serve_settings_table())
    if (row.use == setting_use::harmless)
      out += "| `--" + std::string(row.flag) + "` | `" + std::string(row.environment) + "` | " +
             std::string(row.text) + " |\n";
  out +=
      "\n## Known from TGI, refused\n\n| flag | environment | accepted values | instead "
      "|\n|---|---|---|---|\n";
  for (auto& row : serve_settings_table())
    if (row.use == setting_use::refused)
      out += "| `--" + std::string(row.flag) + "` | `" + std::string(row.environment) + "` | " +
             spelled_choices(row.neutral) + " | " + std::string(row.text) + " |\n";
  return out;
}

}  // namespace lorica
