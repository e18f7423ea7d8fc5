#include "bench/gpu/flags.hpp"

#include <charconv>

#include "bench/gpu/cases.hpp"
#include "bench/gpu/host_memory.hpp"
#include "bench/gpu/shape.hpp"

namespace lorica::bench {
namespace {

struct flag {
  std::string_view name;
  std::string_view value;  // what stands for it in the help; empty: it takes none
  std::string_view what;
  result<void> (*take)(bench_flags& to, const std::string& value);
};

error bad(std::string text) {
  return fail(errc::bad_config, std::move(text));
}

template <class Number>
result<void> read_number(std::string_view name, const std::string& text, Number least, Number most,
                         Number& to) {
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || !(value >= least && value <= most)) {
    const auto range = std::to_string(least) + " to " + std::to_string(most);
    return bad(std::string(name) + ": '" + text + "' is no number from " + range);
  }
  to = value;
  return {};
}

bool is_case(std::string_view id) {
  for (auto& c : cases())
    if (c.id == id) return true;
  return false;
}

result<void> take_only(bench_flags& to, const std::string& value) {
  for (std::size_t at = 0; at <= value.size();) {
    const auto end = std::min(value.find(',', at), value.size());
    const auto id = value.substr(at, end - at);
    if (!is_case(id)) return bad("--only: there is no case '" + id + "'; --list tells them");
    to.only.push_back(id);
    at = end + 1;
  }
  return {};
}

result<void> take_shape(bench_flags& to, const std::string& value) {
  auto shape = shape_named(value);
  if (!shape) return shape.error();
  to.settings.shape = *std::move(shape);
  to.settings.sizes = sizes_for(value);
  return {};
}

result<void> take_graphs(bench_flags& to, const std::string& value) {
  if (value != "on" && value != "off") return bad("--graphs: '" + value + "' is neither on nor off");
  to.settings.graphs = value == "on";
  return {};
}

result<void> take_dtype(bench_flags& to, const std::string& value) {
  if (value != "bfloat16" && value != "fp8")
    return bad("--dtype: '" + value + "' is neither bfloat16 nor fp8");
  to.settings.weights = value == "fp8" ? gpu::weight_format::fp8 : gpu::weight_format::bfloat16;
  return {};
}

constexpr flag flags[] = {
    {"--only", "G-3,G-5", "these cases; may be given again", take_only},
    {"--dtype", "bfloat16|fp8", "of the layers' linear maps (bfloat16); fp8 needs compute capability 8.9",
     take_dtype},
    {"--list", "", "tell the cases, in the order in which they run, and end",
     [](bench_flags& to, const std::string&) -> result<void> { return to.list = true, result<void>{}; }},
    {"--shape", "SHAPE",
     "mistral-7b (the default), tiny, or sizes: layers=2,hidden=64,heads=4,kv_heads=2,...", take_shape},
    {"--runs", "N", "timed runs of each point (20)",
     [](bench_flags& to, const std::string& v) {
       return read_number<std::uint32_t>("--runs", v, 1, 100'000, to.settings.how.runs);
     }},
    {"--warmups", "N", "runs before them (3)",
     [](bench_flags& to, const std::string& v) {
       return read_number<std::uint32_t>("--warmups", v, 0, 100'000, to.settings.how.warmups);
     }},
    {"--warm-seconds", "S", "that what is measured first on an idle card is run before (0.2)",
     [](bench_flags& to, const std::string& v) {
       return read_number<double>("--warm-seconds", v, 0, 60, to.settings.how.warm_seconds);
     }},
    {"--limit", "S",
     "that all cases may take together (480); each has its share, and what it leaves goes to others",
     [](bench_flags& to, const std::string& v) {
       return read_number<double>("--limit", v, 0.001, 86'400, to.settings.limit);
     }},
    {"--graphs", "on|off", "whether steps that only decode are recorded (on)", take_graphs},
    {"--seconds", "S", "of arrivals in cases of traffic, at most (30)",
     [](bench_flags& to, const std::string& v) {
       return read_number<double>("--seconds", v, 0.001, 86'400, to.settings.traffic_seconds);
     }},
    {"--host-memory", "GIB", "that adapters may take, pinned (half of what is free, at most 64)",
     [](bench_flags& to, const std::string& v) {
       return read_number<double>("--host-memory", v, 0, 1e6, to.settings.host_gib);
     }},
    {"--device", "N", "which of the CUDA devices (0)",
     [](bench_flags& to, const std::string& v) {
       return read_number<int>("--device", v, 0, 1023, to.settings.device);
     }},
    {"--clocks", "TEXT", "what is known of the clocks, for the document",
     [](bench_flags& to, const std::string& v) -> result<void> { return to.clocks = v, result<void>{}; }},
    {"--output", "FILE",
     "where the JSON document goes, anew after every row; without it to standard output at the end",
     [](bench_flags& to, const std::string& v) -> result<void> { return to.output = v, result<void>{}; }},
    {"--help", "", "this",
     [](bench_flags& to, const std::string&) -> result<void> { return to.help = true, result<void>{}; }},
};

const flag* find(std::string_view name) {
  for (auto& f : flags)
    if (f.name == name) return &f;
  return nullptr;
}

}  // namespace

result<bench_flags> read_flags(std::span<const std::string> words) {
  bench_flags out;
  out.settings.host_gib = host_gib_for(free_host_bytes());
  if (auto ok = take_shape(out, "mistral-7b"); !ok) return ok.error();
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto* f = find(words[i]);
    if (!f) return bad("'" + words[i] + "' is no flag; --help tells them");
    std::string value;
    if (!f->value.empty()) {
      if (i + 1 == words.size())
        return bad(std::string(f->name) + " needs a value: " + std::string(f->value));
      value = words[++i];
    }
    if (auto ok = f->take(out, value); !ok) return ok.error();
  }
  return out;
}

std::string help_text() {
  std::string out =
      "gpu_bench: how fast the CUDA executor is, beside what the card can do. A table goes to standard "
      "error.\n\n";
  for (auto& f : flags) {
    auto left = std::string("  ").append(f.name);
    if (!f.value.empty()) left.append(" ").append(f.value);
    left.resize(std::max<std::size_t>(left.size() + 2, 24), ' ');
    out += left + std::string(f.what) + "\n";
  }
  return out +
         "\nExit codes: 0 all was measured, or the card is too small for what was not; 1 something failed; "
         "2 a wrong flag; 3 no device, or none that --dtype works on; 4 the time was over before all was "
         "measured.\n";
}

}  // namespace lorica::bench
