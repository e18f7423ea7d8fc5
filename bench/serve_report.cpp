#include "bench/serve_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <thread>

#include "core/json.hpp"

namespace lorica::bench {
namespace {

constexpr const char* backend = "openai";

const char* name_of(dataset d) {
  return d == dataset::s_lora ? "s-lora" : d == dataset::punica ? "punica" : "random";
}

double rate_of(const serve_options& o) {
  return o.what == dataset::s_lora   ? o.s_lora.rate
         : o.what == dataset::random ? o.random.rate
                                     : std::numeric_limits<double>::infinity();
}

struct shown_metric {
  const char* name;
  const char* title;
  const distribution& values;
};

/// Those that were asked for; the two of waiting inside the client always, where there is such waiting.
std::vector<shown_metric> shown(const serve_options& o, const serve_metrics& m) {
  const std::array<shown_metric, 6> all = {
      {{"ttft", "Time to first token", m.ttft},
       {"tpot", "Time per output token", m.tpot},
       {"itl", "Between tokens", m.itl},
       {"e2el", "Whole request", m.e2el},
       {"client_queue_time", "Waiting in the client", m.queue},
       {"e2el_including_client_queue", "Request and waiting", m.e2el_with_queue}}};
  std::vector<shown_metric> out;
  for (auto& metric : all)
    if (std::ranges::find(o.percentile_metrics, metric.name) != o.percentile_metrics.end())
      out.push_back(metric);
  return out;
}

std::string percent_name(double percent) {
  return std::trunc(percent) == percent ? fmt::format("p{}", static_cast<int>(percent))
                                        : fmt::format("p{}", percent);
}

class result_writer {
 public:
  void text(std::string_view name, const std::string& value) { json_.key(name).string(value); }
  void number(std::string_view name, double value) { json_.key(name).number(value); }
  void whole(std::string_view name, std::uint64_t value) { json_.key(name).unsigned_integer(value); }
  void optional(std::string_view name, const std::optional<double>& value) {
    json_.key(name);
    value ? json_.number(*value) : json_.null();
  }
  void rate(std::string_view name, double value) {
    json_.key(name);
    std::isinf(value) ? json_.string("inf") : json_.number(value);
  }

  template <class Range, class Write>
  void list(std::string_view name, const Range& range, Write write) {
    json_.key(name).begin_array();
    for (auto& item : range)
      write(json_, item);
    json_.end_array();
  }

  json_writer& json() { return json_; }

 private:
  json_writer json_;
};

void write_setup(result_writer& out, const serve_options& o, std::size_t requests, const std::string& date) {
  out.text("date", date);
  out.text("endpoint_type", backend);
  out.text("backend", backend);
  out.json().key("label");
  o.label.empty() ? out.json().null() : out.json().string(o.label);
  out.text("model_id", o.model);
  out.json().key("tokenizer_id").null();
  out.whole("num_prompts", requests);
  for (auto& [key, value] : o.metadata)
    out.text(key, value);
  out.rate("request_rate", rate_of(o));
  out.rate("burstiness", o.what == dataset::s_lora ? 1 / (o.s_lora.cv * o.s_lora.cv) : o.random.burstiness);
  out.json().key("max_concurrency");
  o.max_concurrency == 0 ? out.json().null() : out.json().unsigned_integer(o.max_concurrency);
}

void write_figures(result_writer& out, const serve_options& o, const serve_run& run, const serve_metrics& m) {
  out.number("duration", run.duration);
  out.whole("completed", m.completed);
  out.whole("failed", m.failed);
  out.whole("total_input_tokens", m.input_tokens);
  out.whole("total_output_tokens", m.output_tokens);
  out.number("request_throughput", m.requests_per_second);
  out.optional("request_goodput", o.bounds.any() ? std::optional(m.good_per_second) : std::nullopt);
  out.number("output_throughput", m.output_per_second);
  out.number("total_token_throughput", m.tokens_per_second);
}

void write_requests(result_writer& out, const std::vector<request_outcome>& all) {
  auto number = [](double request_outcome::*member) {
    return [member](json_writer& json, const request_outcome& o) { json.number(o.*member); };
  };
  out.list("input_lens", all, [](auto& json, auto& o) { json.unsigned_integer(o.prompt); });
  out.list("output_lens", all, [](auto& json, auto& o) { json.unsigned_integer(o.success ? o.output : 0); });
  out.list("ttfts", all, number(&request_outcome::ttft));
  out.list("itls", all, [](auto& json, auto& o) {
    json.begin_array();
    for (auto gap : o.itl)
      json.number(gap);
    json.end_array();
  });
  out.list("start_times", all, number(&request_outcome::start));
  out.list("generated_texts", all, [](auto& json, auto& o) { json.string(o.text); });
  out.list("errors", all, [](auto& json, auto& o) { json.string(o.error); });
}

void write_traffic(result_writer& out, const serve_options& o) {
  out.text("dataset_name", name_of(o.what));
  out.whole("seed", o.seed);
  out.whole("lora_modules", o.adapters.size());
  out.text("lora_style", o.style == lora_style::openai ? "openai" : "llama.cpp");
  auto range = [&](std::string_view name, auto ends) {
    out.json().key(name).begin_array().unsigned_integer(ends.first).unsigned_integer(ends.second).end_array();
  };
  if (o.what == dataset::random) {
    out.whole("random_input_len", o.random.input);
    out.whole("random_prefix_len", o.random.prefix);
    out.whole("random_output_len", o.random.output);
    out.number("random_range_ratio", o.random.range_ratio);
    constexpr std::array orders = {"random", "round-robin", "zipf"};
    out.text("lora_assignment", orders[static_cast<std::size_t>(o.random.order)]);
  } else if (o.what == dataset::s_lora) {
    out.number("s_lora_alpha", o.s_lora.alpha);
    out.number("s_lora_cv", o.s_lora.cv);
    out.number("s_lora_duration", o.s_lora.duration);
    range("s_lora_input_range", o.s_lora.input);
    range("s_lora_output_range", o.s_lora.output);
  } else {
    constexpr std::array names = {"distinct", "uniform", "skewed", "identical"};
    out.text("punica_pattern", names[static_cast<std::size_t>(o.punica.pattern)]);
    out.whole("punica_max_len", o.punica.most);
  }
}

void write_goodput(result_writer& out, const goodput_bounds& b) {
  out.json().key("goodput_ms").begin_object();
  if (b.ttft) out.number("ttft", *b.ttft * 1e3);
  if (b.tpot) out.number("tpot", *b.tpot * 1e3);
  if (b.e2el) out.number("e2el", *b.e2el * 1e3);
  out.json().end_object();
}

void write_machine(result_writer& out, const serve_options& o, const serve_run& run) {
  out.whole("processors", std::thread::hardware_concurrency());
  out.number("client_cpu_share", run.duration > 0 ? run.client_cpu / run.duration : 0);
  out.optional("server_cpu_seconds", run.server_cpu);
  out.optional("server_resident_bytes", run.server_bytes);
  out.optional("foreign_load", run.foreign);
  out.number("steal", run.steal);
  out.text("command", o.command);
}

}  // namespace

std::string result_json(const serve_options& o, const std::vector<planned_request>& plan,
                        const serve_run& run, const serve_metrics& m, const std::string& date) {
  result_writer out;
  out.json().begin_object();
  write_setup(out, o, plan.size(), date);
  write_figures(out, o, run, m);
  if (o.save_detailed) {
    write_requests(out, run.outcomes);
    out.list("adapters", plan, [](auto& json, auto& r) {
      r.adapter == planned_request::none ? json.null() : json.unsigned_integer(r.adapter);
    });
  }
  auto of_all = [&](std::string_view name, double request_outcome::*member) {
    out.list(name, run.outcomes,
             [member](json_writer& json, const request_outcome& one) { json.number(one.*member); });
  };
  of_all("latencies", &request_outcome::latency);
  of_all("queue_times", &request_outcome::queue);
  out.number("max_output_tokens_per_s", m.most_output_per_second);
  out.whole("max_concurrent_requests", m.most_concurrent);
  out.number("rtfx", 0);
  for (auto& metric : shown(o, m)) {
    out.number(fmt::format("mean_{}_ms", metric.name), metric.values.mean * 1e3);
    out.number(fmt::format("median_{}_ms", metric.name), metric.values.median * 1e3);
    out.number(fmt::format("std_{}_ms", metric.name), metric.values.deviation * 1e3);
    for (auto& [percent, value] : metric.values.percentiles)
      out.number(fmt::format("{}_{}_ms", percent_name(percent), metric.name), value * 1e3);
  }
  write_traffic(out, o);
  write_goodput(out, o.bounds);
  write_machine(out, o, run);
  out.json().end_object();
  return out.json().take();
}

std::string result_table(const serve_options& o, const serve_run& run, const serve_metrics& m) {
  std::string out = fmt::format(
      "{} of {} requests in {:.2f} s: {:.2f} requests/s, {:.1f} tokens/s out, {:.1f} in and out\n",
      m.completed, m.outcomes(), run.duration, m.requests_per_second, m.output_per_second,
      m.tokens_per_second);
  if (o.bounds.any()) out += fmt::format("within the bounds: {:.2f} requests/s\n", m.good_per_second);
  for (auto& metric : shown(o, m)) {
    out += fmt::format("{:<24} mean {:9.2f} ms  median {:9.2f} ms", metric.title, metric.values.mean * 1e3,
                       metric.values.median * 1e3);
    for (auto& [percent, value] : metric.values.percentiles)
      out += fmt::format("  {} {:9.2f} ms", percent_name(percent), value * 1e3);
    out += '\n';
  }
  out +=
      fmt::format("client {:.1f} % of a core", run.duration > 0 ? 100 * run.client_cpu / run.duration : 0.0);
  if (run.foreign) out += fmt::format(", others {:.1f} % of the machine", 100 * *run.foreign);
  out += fmt::format(", stolen {:.1f} %\n", 100 * run.steal);
  std::size_t told = 0;
  for (auto& r : run.outcomes)
    if (!r.success && told++ < 5) out += "failed: " + r.error + "\n";
  return out;
}

std::string result_path(const serve_options& o, const std::string& date) {
  auto name = o.result_file;
  if (name.empty()) {
    auto rate = std::isinf(rate_of(o)) ? std::string("inf") : fmt::format("{}", rate_of(o));
    auto concurrency =
        o.max_concurrency == 0 ? std::string() : fmt::format("-concurrency{}", o.max_concurrency);
    auto slash = o.model.rfind('/');
    name = fmt::format("{}-{}qps{}-{}-{}.json", o.label.empty() ? backend : o.label, rate, concurrency,
                       slash == std::string::npos ? o.model : o.model.substr(slash + 1), date);
  }
  return o.result_folder.empty() ? name : (std::filesystem::path(o.result_folder) / name).string();
}

}  // namespace lorica::bench
