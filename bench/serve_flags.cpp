#include "bench/serve_flags.hpp"

#include <fmt/format.h>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

namespace lorica::bench {

struct serve_flags {
  serve_options out = {};
  std::string host = "127.0.0.1";
  std::uint16_t port = 8000;
  std::string rate = "inf";
  std::string burstiness = "1";
  std::uint32_t prompts = 1000;
  std::optional<std::uint64_t> seed = {};
  std::string dataset_name = "random";
  std::string assignment = "random";
  std::string style = "openai";
  std::string pattern = "distinct";
  std::string token_range = "100:20000";
  std::vector<std::uint32_t> s_lora_input = {8, 512};
  std::vector<std::uint32_t> s_lora_output = {8, 512};
  std::vector<std::string> goodput = {};
  std::string metrics = "ttft,tpot,itl";
  std::string percents = "99";
  std::vector<std::string> metadata = {};
};

namespace {

error refuse(std::string text) {
  return fail(errc::bad_config, std::move(text));
}

std::optional<double> number(std::string_view text) {
  double out = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (ec != std::errc{} || end != text.data() + text.size() || std::isnan(out)) return std::nullopt;
  return out;
}

std::vector<std::string> parts(const std::string& text, char at) {
  std::vector<std::string> out = {""};
  for (auto c : text)
    if (c == at)
      out.emplace_back();
    else
      out.back() += c;
  return out;
}

result<goodput_bounds> bounds_of(const std::vector<std::string>& pairs) {
  goodput_bounds out;
  const std::map<std::string, std::optional<double>*> names = {
      {"ttft", &out.ttft}, {"tpot", &out.tpot}, {"e2el", &out.e2el}};
  for (auto& pair : pairs) {
    auto halves = parts(pair, ':');
    auto known = names.find(halves.front());
    auto milliseconds = halves.size() == 2 ? number(halves[1]) : std::nullopt;
    if (known == names.end() || !milliseconds || *milliseconds < 0)
      return refuse(fmt::format("--goodput holds '{}'; it is ttft:MS, tpot:MS or e2el:MS", pair));
    *known->second = *milliseconds / 1000;
  }
  return out;
}

result<std::vector<double>> percents_of(const std::string& list) {
  std::vector<double> out;
  for (auto& text : parts(list, ',')) {
    auto n = number(text);
    if (!n || *n < 0 || *n > 100)
      return refuse(
          fmt::format("--metric-percentiles holds '{}'; it is numbers from 0 to 100, as 50,99", text));
    out.push_back(*n);
  }
  return out;
}

result<std::pair<token_id, token_id>> token_range_of(const std::string& text) {
  auto halves = parts(text, ':');
  std::vector<double> ends;
  for (auto& half : halves)
    if (auto n = number(half); n && std::trunc(*n) == *n) ends.push_back(*n);
  if (halves.size() != 2 || ends.size() != 2 || ends[0] < 0 || ends[1] <= ends[0] || ends[1] > 10'000'000)
    return refuse(
        fmt::format("--random-token-ids is '{}'; it is LOW:HIGH with 0 <= LOW < HIGH, as 100:20000", text));
  return std::pair(static_cast<token_id>(ends[0]), static_cast<token_id>(ends[1]));
}

result<std::vector<std::pair<std::string, std::string>>> metadata_of(const std::vector<std::string>& pairs) {
  std::vector<std::pair<std::string, std::string>> out;
  for (auto& pair : pairs) {
    auto equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return refuse(fmt::format("--metadata holds '{}'; it is KEY=VALUE", pair));
    out.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return out;
}

}  // namespace

std::shared_ptr<serve_flags> add_serve_flags(CLI::App& command) {
  auto f = std::make_shared<serve_flags>();
  auto& o = f->out;
  command.add_option("--base-url", o.base_url, "http://HOST:PORT[/PREFIX]; wins over --host and --port");
  command.add_option("--host", f->host)->capture_default_str();
  command.add_option("--port", f->port)->capture_default_str();
  command.add_option("--endpoint", o.endpoint, "a /v1/completions")->capture_default_str();
  command.add_option("--model", o.model, "name of the base; without: the first of /v1/models");
  command.add_option("--num-prompts", f->prompts)->capture_default_str();
  command.add_option("--request-rate", f->rate, "per second, or inf: all at once")->capture_default_str();
  command.add_option("--burstiness", f->burstiness, "shape of the Gamma gaps; 1: Poisson; inf: even")
      ->capture_default_str();
  command.add_option("--max-concurrency", o.max_concurrency, "0: no limit")->capture_default_str();
  command.add_option("--dataset-name", f->dataset_name)
      ->check(CLI::IsMember({"random", "s-lora", "punica"}))
      ->capture_default_str();
  command.add_option("--random-input-len", o.random.input)->capture_default_str();
  command.add_option("--random-prefix-len", o.random.prefix, "tokens before them, the same for all requests")
      ->capture_default_str();
  command.add_option("--random-output-len", o.random.output)->capture_default_str();
  command.add_option("--random-range-ratio", o.random.range_ratio)->capture_default_str();
  command.add_option("--random-token-ids", f->token_range, "prompts are drawn from LOW:HIGH")
      ->capture_default_str();
  command.add_option("--s-lora-alpha", o.s_lora.alpha, "1: uniform; smaller: more skewed")
      ->capture_default_str();
  command.add_option("--s-lora-cv", o.s_lora.cv, "of the gaps; 1: Poisson")->capture_default_str();
  command.add_option("--s-lora-duration", o.s_lora.duration, "seconds; requests are rate times duration")
      ->capture_default_str();
  command.add_option("--s-lora-input-range", f->s_lora_input, "LOW HIGH, HIGH excluded")->expected(2);
  command.add_option("--s-lora-output-range", f->s_lora_output, "LOW HIGH, HIGH excluded")->expected(2);
  command.add_option("--punica-pattern", f->pattern)
      ->check(CLI::IsMember({"distinct", "uniform", "skewed", "identical"}))
      ->capture_default_str();
  command.add_option("--punica-max-len", o.punica.most, "prompt and output together")->capture_default_str();
  command.add_option("--lora-modules", o.adapters,
                     "names of adapters; for llama.cpp only their count matters");
  command.add_option("--lora-assignment", f->assignment)
      ->check(CLI::IsMember({"random", "round-robin", "zipf"}))
      ->capture_default_str();
  command
      .add_option("--lora-zipf-exponent", o.random.exponent,
                  "with zipf the k-th adapter is asked for in proportion to k^-exponent")
      ->capture_default_str();
  command.add_option("--lora-style", f->style, "how a request names its adapter")
      ->check(CLI::IsMember({"openai", "llama.cpp"}))
      ->capture_default_str();
  command.add_option("--goodput", f->goodput, "ttft:MS tpot:MS e2el:MS");
  command.add_flag("--ignore-eos", o.ignore_eos, "always on: the traffic asks for exact lengths");
  command.add_option("--temperature", o.temperature)->capture_default_str();
  command.add_option("--seed", f->seed, "without: 0, for s-lora 42, for punica the one of its authors");
  command.add_option("--num-warmups", o.warmups)->capture_default_str();
  command.add_option("--percentile-metrics", f->metrics, "of ttft,tpot,itl,e2el")->capture_default_str();
  command.add_option("--metric-percentiles", f->percents)->capture_default_str();
  command.add_flag("--save-result", o.save_result);
  command.add_flag("--save-detailed", o.save_detailed, "with the times and texts of every request");
  command.add_option("--result-dir", o.result_folder);
  command.add_option("--result-filename", o.result_file);
  command.add_option("--label", o.label);
  command.add_option("--metadata", f->metadata, "KEY=VALUE … for the result");
  command.add_option("--server-pid", o.server_processes,
                     "the server's process(es): then others' load can be told from its own");
  return f;
}

result<serve_options> options_of(const serve_flags& f) {
  auto o = f.out;
  auto rate = number(f.rate);
  if (!rate || !(*rate > 0))
    return refuse(fmt::format("--request-rate is '{}'; it is a number above 0, or inf", f.rate));
  auto burstiness = number(f.burstiness);
  if (!burstiness || !(*burstiness > 0))
    return refuse(fmt::format("--burstiness is '{}'; it is a number above 0, or inf", f.burstiness));
  auto bounds = bounds_of(f.goodput);
  if (!bounds) return bounds.error();
  auto percents = percents_of(f.percents);
  if (!percents) return percents.error();
  auto ids = token_range_of(f.token_range);
  if (!ids) return ids.error();
  auto metadata = metadata_of(f.metadata);
  if (!metadata) return metadata.error();
  if (!(o.temperature >= 0 && o.temperature <= 100))
    return refuse(fmt::format("--temperature is {}; it is 0 to 100", o.temperature));
  if (!o.endpoint.starts_with('/') || !o.endpoint.ends_with("completions") ||
      o.endpoint.ends_with("chat/completions"))
    return refuse(
        fmt::format("--endpoint is '{}'; it is a path that ends in /completions and is no chat", o.endpoint));
  if (o.warmups > 10'000) return refuse(fmt::format("--num-warmups is {}; it is at most 10000", o.warmups));
  o.percentile_metrics = parts(f.metrics, ',');
  for (auto& m : o.percentile_metrics)
    if (m != "ttft" && m != "tpot" && m != "itl" && m != "e2el" && m != "client_queue_time" &&
        m != "e2el_including_client_queue")
      return refuse(
          fmt::format("--percentile-metrics holds '{}'; it is of ttft, tpot, itl, e2el, client_queue_time, "
                      "e2el_including_client_queue",
                      m));
  const bool v6 = f.host.find(':') != std::string::npos;
  if (o.base_url.empty()) o.base_url = fmt::format("http://{}:{}", v6 ? "[" + f.host + "]" : f.host, f.port);
  o.bounds = *bounds;
  o.percents = *percents;
  o.token_ids = *ids;
  o.metadata = *std::move(metadata);
  o.style = f.style == "llama.cpp" ? lora_style::llama_cpp : lora_style::openai;
  const auto adapters = static_cast<std::uint32_t>(o.adapters.size());
  if (f.seed && *f.seed > std::numeric_limits<std::uint32_t>::max() && f.dataset_name != "punica")
    return refuse(fmt::format("--seed is {}; it is at most 4294967295", *f.seed));
  o.random.requests = o.punica.requests = f.prompts;
  o.random.adapters = o.s_lora.adapters = o.punica.adapters = adapters;
  o.random.rate = o.s_lora.rate = *rate;
  o.random.burstiness = *burstiness;
  o.random.order = f.assignment == "round-robin" ? adapter_order::round_robin
                   : f.assignment == "zipf"      ? adapter_order::zipf
                                                 : adapter_order::random;
  o.s_lora.input = {f.s_lora_input[0], f.s_lora_input[1]};
  o.s_lora.output = {f.s_lora_output[0], f.s_lora_output[1]};
  if (f.seed) o.random.seed = o.s_lora.seed = static_cast<std::uint32_t>(*f.seed);
  if (f.seed) o.punica.seed = *f.seed;
  const std::map<std::string, punica_pattern> patterns = {{"distinct", punica_pattern::distinct},
                                                          {"uniform", punica_pattern::uniform},
                                                          {"skewed", punica_pattern::skewed},
                                                          {"identical", punica_pattern::identical}};
  o.punica.pattern = patterns.at(f.pattern);
  if (f.dataset_name == "s-lora") {
    o.what = dataset::s_lora;
    o.seed = o.s_lora.seed;
  } else if (f.dataset_name == "punica") {
    o.what = dataset::punica;
    o.seed = o.punica.seed;
    if (o.max_concurrency == 0) o.max_concurrency = 32;
    if (std::isfinite(*rate))
      return refuse("--request-rate is given; punica is a closed loop, so leave it out");
  } else {
    o.seed = o.random.seed;
  }
  // All three kinds of traffic ask for exact lengths, given or not (vLLM's tool does so too for its random
  // one).
  o.ignore_eos = true;
  return o;
}

}  // namespace lorica::bench
