// Whether adapters that come and go are noticed, and what the first token of an adapter costs that is not in
// memory: the whole runtime, without HTTP. Adapters are random, in files on the local disk, on every
// projection. Quiet and busy runs are interleaved. A table goes to standard error, one line of JSON to
// standard output. Run: build/release/bin/lorica-bench-adapters --model
// models/SmolLM2-135M-Instruct.Q4_1.gguf

#include <fmt/core.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <future>
#include <stdexcept>
#include <string>

#include "app/adapter_sources.hpp"
#include "bench/adapter_files.hpp"
#include "bench/machine_load.hpp"
#include "bench/must.hpp"
#include "bench/timed_stream.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "cpu/executor.hpp"
#include "text/tokenizer.hpp"

namespace {

using namespace lorica;
using namespace lorica::bench;

struct settings {
  std::string model = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
  std::uint32_t threads = 0;
  std::uint32_t rank = 16;
  std::uint32_t rounds = 3;
  std::uint32_t operations = 100;
  std::uint32_t cold = 60;
  std::string only;  // stall, alone or beside; empty: all
};

constexpr std::uint32_t files = 12;
constexpr std::uint32_t streams = 4;
constexpr std::uint32_t prompt = 64;
constexpr std::size_t settled = 16;  // tokens of a stream after which no prompt of another is computed

void add_flags(CLI::App& app, settings& s) {
  auto count = [&](const char* name, std::uint32_t& value, const char* what) {
    app.add_option(name, value, what)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  };
  app.add_option("--model", s.model)->capture_default_str();
  app.add_option("--threads", s.threads, "0: as many as the machine has")->capture_default_str();
  count("--rank", s.rank, "of the adapters");
  count("--rounds", s.rounds, "of the stall's streams, without and with changes");
  count("--operations", s.operations, "loads, replacements and unloads of a round");
  count("--cold", s.cold, "first tokens of adapters from disk");
  app.add_option("--only", s.only)->check(CLI::IsMember({"stall", "alone", "beside"}));
}

double milliseconds(clock::duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

/// The number below which `share` of `all` lie.
double quantile(std::vector<double> all, double share) {
  if (all.empty()) return 0;
  std::ranges::sort(all);
  return all[std::min(all.size() - 1, static_cast<std::size_t>(share * static_cast<double>(all.size())))];
}

/// A runtime over the model, with room for `room` of the adapters.
class house {
 public:
  house(const settings& s, std::shared_ptr<const model_weights> weights, const adapter_files& adapters,
        std::uint32_t room) {
    cpu_options o;
    o.threads = s.threads;
    o.blocks = 1024;
    o.max_sequences = 8;
    o.max_rows = 512;
    o.max_positions = 2048;
    auto vocabulary = must(open_tokenizer(s.model));
    o.token_ids = vocabulary->size();
    auto engine = must(make_cpu_executor(weights, o));
    description_ = engine->description();
    roots_ = std::make_shared<const adapter_roots>(must(adapter_roots::open({adapters.root()})));
    runtime_options options;
    options.model_id = "base";
    options.dynamic.mode = dynamic_mode::off;
    options.dynamic.has_roots = true;
    options.prefix_caching = false;  // a beginning that is found would hide what an adapter costs
    // Measured, not computed: what the packed form of one takes is the packer's business.
    auto one = must(reader_of(weights->config(), 256, roots_, {})({adapter_origin::kind::root, "0"}, {}));
    options.adapter_bytes = engine->packer().packed_bytes(one.weights) * room + 1024;
    runtime_parts parts{std::move(engine),
                        std::move(vocabulary),
                        weights->config(),
                        counters_,
                        clock_,
                        reader_of(weights->config(), options.max_adapter_rank, roots_, {})};
    living_ = must(start_runtime(std::move(options), std::move(parts)));
    if (auto ok = living_->wait_until_ready(); !ok) throw std::runtime_error(ok.error().text);
  }

  const std::string& description() const { return description_; }
  generation_service& generations() { return living_->generations(); }

  /// Gives `name` the content of `source`; returns when it serves.
  void load(const std::string& name, std::uint32_t source) {
    adapter_load what;
    what.name = name;
    what.source = std::to_string(source);
    call<adapter_job>([&](auto done) { living_->adapters().load(what, answer_when::ended, done); });
  }

  void unload(const std::string& name) {
    call<adapter_job>([&](auto done) { living_->adapters().unload({name}, answer_when::ended, done); });
  }

 private:
  template <class T, class Call>
  static void call(const Call& what) {
    std::promise<result<T>> answered;
    what([&answered](result<T> r) { answered.set_value(std::move(r)); });
    must(answered.get_future().get());
  }

  metrics counters_;
  steady_clock_source clock_;
  std::shared_ptr<const adapter_roots> roots_;
  std::string description_;
  std::unique_ptr<runtime> living_;
};

/// Times between the tokens of one run, in milliseconds, of the first so many tokens of each stream.
std::vector<double> gaps(const std::vector<std::vector<clock::time_point>>& run, std::size_t tokens) {
  std::vector<double> out;
  for (auto& times : run)
    for (std::size_t i = settled; i < std::min(tokens, times.size()); ++i)
      out.push_back(milliseconds(times[i] - times[i - 1]));
  return out;
}

struct stall {
  std::vector<double> quiet;
  std::vector<double> busy;
  double operations_per_second = 0;
  double foreign = 0;
};

/// Four streams, two of them with adapters; without and with others that load, replace and unload.
stall bench_stall(const settings& s, house& h) {
  stall out;
  h.load("kept-0", 0);
  h.load("kept-1", 1);
  machine_load machine;
  constexpr std::uint32_t tokens = 1200;
  auto start = [&](std::uint32_t seed) {
    std::vector<std::shared_ptr<timed_stream>> all;
    for (std::uint32_t i = 0; i < streams; ++i)
      all.push_back(start_stream(h.generations(), i < 2 ? fmt::format("kept-{}", i) : "", prompt, tokens,
                                 seed * streams + i));
    return all;
  };
  auto wait = [](const std::vector<std::shared_ptr<timed_stream>>& all) {
    std::vector<std::vector<clock::time_point>> times;
    for (auto& stream : all)
      times.push_back(stream->wait());
    return times;
  };
  wait(start(0));  // memory that was never used costs when it first is
  for (std::uint32_t round = 0; round < s.rounds; ++round) {
    auto begin = clock::now();
    auto busy = start(round);
    for (std::uint32_t i = 0; i < s.operations; ++i) {
      auto name = fmt::format("guest-{}", i / 3 % 4);
      if (i % 3 == 2)
        h.unload(name);  // i % 3 == 0 loads, 1 replaces
      else
        h.load(name, 2 + (i + round) % (files - 2));
    }
    auto end = clock::now();
    out.operations_per_second += s.operations / std::chrono::duration<double>(end - begin).count() / s.rounds;
    auto with = wait(busy);
    // Both are compared up to the token at which the last operation ended.
    auto reached =
        static_cast<std::size_t>(std::ranges::count_if(with[0], [end](auto t) { return t <= end; }));
    auto without = wait(start(round));
    for (auto gap : gaps(with, reached))
      out.busy.push_back(gap);
    for (auto gap : gaps(without, reached))
      out.quiet.push_back(gap);
  }
  out.foreign = machine.foreign();
  return out;
}

struct first_token {
  std::vector<double> warm;
  std::vector<double> cold;
  std::vector<double> read;  // a file of weights, and nothing else: what a load cannot do without
  double foreign = 0;
};

/// Milliseconds that a file takes to be read.
double time_to_read(const std::string& path) {
  static std::vector<char> buffer(std::size_t{1} << 17);
  auto begin = clock::now();
  std::ifstream file(path, std::ios::binary);
  while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()))) {
  }
  return milliseconds(clock::now() - begin);
}

/// First tokens of adapters, each once from disk and once more right after; beside `beside` streams.
first_token bench_first_token(const settings& s, house& h, const adapter_files& adapters,
                              std::uint32_t beside) {
  first_token out;
  for (std::uint32_t i = 0; i < files; ++i)
    h.load(fmt::format("a{}", i), i);
  machine_load machine;
  std::vector<std::shared_ptr<timed_stream>> others;
  auto go_on = [&] {
    while (others.size() < beside)
      others.push_back(
          start_stream(h.generations(), "", prompt, 1500, static_cast<std::uint32_t>(others.size())));
    for (auto& stream : others)
      stream->wait_for(settled);
  };
  auto one = [&](std::uint32_t i) {
    auto begin = clock::now();
    auto times = start_stream(h.generations(), fmt::format("a{}", i % files), prompt, 1, i)->wait();
    return milliseconds(times.at(0) - begin);
  };
  constexpr std::uint32_t refresh = 8;
  for (std::uint32_t i = 0; i < s.cold; ++i) {
    if (i % refresh == 0) {
      for (auto& stream : others)
        stream->wait();
      others.clear();
      go_on();
    }
    out.cold.push_back(one(i));
    out.warm.push_back(one(i));
  }
  for (auto& stream : others)
    stream->wait();
  // As long after its last use as above.
  for (std::uint32_t i = 0; i < files; ++i) {
    one(s.cold - 1);
    one(s.cold - 1);
    out.read.push_back(time_to_read(fmt::format("{}/{}/adapter_model.safetensors", adapters.root(), i)));
  }
  out.foreign = machine.foreign();
  return out;
}

void write_gaps(json_writer& json, const char* name, const std::vector<double>& all) {
  json.key(name).begin_object().key("count").unsigned_integer(all.size());
  json.key("median_ms").number(quantile(all, 0.5)).key("p99_ms").number(quantile(all, 0.99));
  json.key("max_ms").number(quantile(all, 1)).end_object();
  std::fprintf(stderr, "  %-6s %7zu  median %8.2f  p90 %8.2f  p99 %8.2f  max %8.2f ms\n", name, all.size(),
               quantile(all, 0.5), quantile(all, 0.9), quantile(all, 0.99), quantile(all, 1));
}

void write_first_token(json_writer& json, const char* name, const char* title, const first_token& r) {
  std::fprintf(stderr, "%s (foreign load %.1f %%)\n", title, 100 * r.foreign);
  json.key(name).begin_object().key("foreign_load").number(r.foreign);
  write_gaps(json, "warm", r.warm);
  write_gaps(json, "cold", r.cold);
  write_gaps(json, "read", r.read);
  auto more = [&](double share) { return quantile(r.cold, share) - quantile(r.warm, share); };
  json.key("median_more_ms").number(more(0.5)).key("p99_more_ms").number(more(0.99)).end_object();
  std::fprintf(stderr, "  cold - warm: median %+.2f ms, p99 %+.2f ms\n", more(0.5), more(0.99));
}

void bench_all(const settings& s) {
  auto weights = must(open_model(s.model));
  adapter_files adapters(weights->config(), s.rank, files);
  json_writer json;
  json.begin_object().key("model").string(weights->config().name);
  json.key("adapter_rank").unsigned_integer(s.rank).key("rounds").unsigned_integer(s.rounds);
  json.key("operations").unsigned_integer(s.operations);
  auto wanted = [&](std::string_view part) { return s.only.empty() || s.only == part; };
  if (wanted("stall")) {
    house h(s, weights, adapters, files);
    json.key("executor").string(h.description());
    auto r = bench_stall(s, h);
    std::fprintf(
        stderr,
        "%s\n%u streams, %u loads, replacements and unloads, %.1f per second (foreign load %.1f %%)\n",
        h.description().c_str(), streams, s.operations, r.operations_per_second, 100 * r.foreign);
    json.key("stall").begin_object().key("foreign_load").number(r.foreign);
    json.key("operations_per_second").number(r.operations_per_second);
    write_gaps(json, "quiet", r.quiet);
    write_gaps(json, "busy", r.busy);
    auto p99 = quantile(r.busy, 0.99) / quantile(r.quiet, 0.99);
    auto largest = quantile(r.busy, 1) / quantile(r.quiet, 0.5);
    json.key("p99_ratio").number(p99).key("largest_over_median").number(largest).end_object();
    std::fprintf(stderr, "  p99 busy / quiet %.3f; largest gap / median step %.2f\n", p99, largest);
  }
  if (wanted("alone") || wanted("beside")) {
    house h(s, weights, adapters, 2);
    if (wanted("alone"))
      write_first_token(json, "first_token_alone", "first token alone", bench_first_token(s, h, adapters, 0));
    if (wanted("beside"))
      write_first_token(json, "first_token_beside", "first token beside 4 streams",
                        bench_first_token(s, h, adapters, streams));
  }
  std::printf("%s\n", json.end_object().take().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("What streams notice of adapters that come and go");
  add_flags(app, s);
  CLI11_PARSE(app, argc, argv);
  try {
    start_log(false, log_level::error);
    bench_all(s);
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica-bench-adapters: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
