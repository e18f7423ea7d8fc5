#include "bench/gpu/report.hpp"

#include <cstdio>

#include "core/json.hpp"

namespace lorica::bench {
namespace {

std::string_view dtype_of(gpu::weight_format format) {
  return format == gpu::weight_format::fp8 ? "fp8" : "bfloat16";
}

void write_fields(json_writer& json, const std::vector<std::pair<std::string, double>>& fields) {
  for (auto& [name, value] : fields)
    json.key(name).number(value);
}

void write_times(json_writer& json, const times& t) {
  json.key("runs").unsigned_integer(t.runs).key("mean_ms").number(1e3 * t.mean);
  json.key("median_ms").number(1e3 * t.median).key("best_ms").number(1e3 * t.best);
}

void write_targets(json_writer& json, const row& r) {
  if (r.targets.empty()) return;
  json.key("targets").begin_array();
  for (auto& t : r.targets) {
    const auto value = r.find(t.figure);
    json.begin_object().key("figure").string(t.figure);
    json.key(t.which == target::side::at_least ? "at_least" : "at_most").number(t.limit);
    if (value && r.cut.empty()) json.key("met").boolean(t.met(*value));
    json.end_object();
  }
  json.end_array();
}

void write_row(json_writer& json, const row& r) {
  json.begin_object().key("case").string(r.suite).key("name").string(r.name);
  write_fields(json, r.sizes);
  if (r.missing.empty()) {
    if (r.graphs) json.key("graphs").boolean(*r.graphs);
    if (r.time) write_times(json, *r.time);
    write_fields(json, r.figures);
    write_targets(json, r);
    if (!r.cut.empty()) json.key("cut").string(r.cut);
  } else {
    json.key("missing").string(r.missing).key("out_of_room").boolean(r.out_of_room);
    json.key("out_of_time").boolean(r.out_of_time);
  }
  json.end_object();
}

void write_card(json_writer& json, const card& c) {
  json.key("card").begin_object().key("name").string(c.properties.name);
  json.key("memory_bytes").unsigned_integer(c.properties.memory_bytes);
  json.key("multiprocessors").unsigned_integer(c.properties.multiprocessors);
  json.key("compute_capability");
  json.string(std::to_string(c.properties.major) + "." + std::to_string(c.properties.minor));
  json.key("l2_bytes").unsigned_integer(c.properties.l2_bytes);
  json.key("driver_cuda").string(c.driver).key("runtime_cuda").string(c.runtime);
  json.key("clock_mhz").number(c.clock_mhz).key("memory_clock_mhz").number(c.memory_clock_mhz);
  json.end_object();
}

void write_shape(json_writer& json, const session& s) {
  const auto& m = s.model();
  json.key("shape").begin_object().key("name").string(m.name);
  const std::pair<const char*, std::uint32_t> sizes[] = {
      {"layers", m.layers},     {"hidden", m.hidden}, {"heads", m.heads}, {"kv_heads", m.kv_heads},
      {"head_dim", m.head_dim}, {"ffn", m.ffn},       {"vocab", m.vocab}, {"positions", m.max_positions}};
  for (auto& [name, value] : sizes)
    json.key(name).unsigned_integer(value);
  json.key("weight_bytes_per_step").number(weight_bytes(m, s.settings().weights));
  json.key("kv_bytes_per_token").number(kv_bytes(m)).end_object();
}

void write_rates(json_writer& json, const session& s) {
  json.key("rates").begin_object();
  if (auto& copies = s.known_copies()) {
    json.key("copy_bytes_per_second").number(copies->device);
    json.key("to_device_bytes_per_second").number(copies->to_device);
  }
  json.key("products").begin_array();
  for (auto& [key, p] : s.known_products()) {
    json.begin_object().key("rows").unsigned_integer(key.rows).key("read").unsigned_integer(key.read);
    json.key("dtype").string(dtype_of(key.weights));
    json.key("qkv_ms").number(1e3 * p.qkv).key("later_ms").number(1e3 * p.later);
    json.key("head_ms").number(1e3 * p.head).end_object();
  }
  json.end_array().end_object();
}

void write_cases(json_writer& json, const suite_run& run) {
  json.key("complete").boolean(run.complete()).key("cases").begin_array();
  for (auto& c : run.outcomes()) {
    json.begin_object().key("case").string(c.id).key("state").string(name_of(c.state));
    if (!c.why.empty()) json.key("why").string(c.why);
    json.key("seconds").number(c.seconds).end_object();
  }
  json.end_array();
}

std::string formatted(const char* format, auto... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string column(const row& r, std::string_view figure, double factor) {
  const auto value = r.find(figure);
  return value ? formatted(" %9.2f", factor * *value) : std::string(10, ' ');
}

}  // namespace

std::string json_of(const suite_run& run, const run_facts& facts) {
  const auto& s = run.measured();
  const auto& settings = s.settings();
  const auto dtype = dtype_of(settings.weights);
  json_writer json;
  json.begin_object().key("program").string("gpu_bench").key("date").string(facts.date);
  json.key("command").string(facts.command);
  write_cases(json, run);
  write_card(json, s.at());
  json.key("clocks_told").string(facts.clocks);
  write_shape(json, s);
  json.key("dtype").string(dtype).key("weights").string(std::string("random ").append(dtype));
  if (!s.is_usual())
    json.key("maps_in_bfloat16")
        .unsigned_integer(std::uint64_t{s.model().layers} * maps_without_codes(s.model()));
  json.key("graphs").boolean(settings.graphs).key("limit_seconds").number(settings.limit);
  json.key("warmups").unsigned_integer(settings.how.warmups);
  json.key("warm_seconds").number(settings.how.warm_seconds);
  json.key("runs").unsigned_integer(settings.how.runs);
  write_rates(json, s);
  json.key("rows").begin_array();
  for (auto& r : s.rows())
    write_row(json, r);
  return json.end_array().end_object().take();
}

std::string table_head() {
  return formatted("%-5s %-42s %9s %9s %9s %9s %9s  %s\n", "", "", "median ms", "mean", "best", "floor %",
                   "over %", "wanted");
}

std::string line_of(const row& r) {
  auto out = formatted("%-5s %-42s", r.suite.c_str(), r.name.c_str());
  if (!r.missing.empty()) return out + " not measured: " + r.missing + "\n";
  const auto t = r.time.value_or(times{});
  out += r.time ? formatted(" %9.3f %9.3f %9.3f", 1e3 * t.median, 1e3 * t.mean, 1e3 * t.best)
                : std::string(30, ' ');
  out += column(r, "floor_share", 100) + column(r, "over_base_percent", 1);
  if (const auto rate = r.find("requests_per_second"))
    out += formatted("  %.2f requests/s, first token %.1f ms (p99 %.1f)", *rate,
                     r.find("first_token_median_ms").value_or(0), r.find("first_token_p99_ms").value_or(0));
  for (auto& wanted : r.targets) {
    const auto value = r.find(wanted.figure).value_or(0);
    out += formatted("  %s %.4g %s %g: %s", wanted.figure.c_str(), value,
                     wanted.which == target::side::at_least ? ">=" : "<=", wanted.limit,
                     !r.cut.empty()      ? "not judged"
                     : wanted.met(value) ? "met"
                                         : "NOT MET");
  }
  if (!r.cut.empty()) out += "  cut off: " + r.cut;
  return out + "\n";
}

std::string verdict_of(const session& s) {
  unsigned met = 0, not_met = 0, free = 0, missing = 0;
  for (auto& r : s.rows()) {
    const auto verdict = r.met();
    ++(!r.missing.empty() ? missing : !verdict ? free : *verdict ? met : not_met);
  }
  return formatted("%u rows meet their targets, %u do not, %u have none, %u were not measured\n", met,
                   not_met, free, missing);
}

}  // namespace lorica::bench
