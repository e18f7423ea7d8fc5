// What one load of an adapter takes of the processor, whole and by its parts: the page cache holds the files.
// A table goes to standard error, one line of JSON to standard output. Run:
// build/release/bin/lorica-bench-load
// --model models/SmolLM2-135M-Instruct.Q4_1.gguf --adapters build/suite/adapters/r16-…

#include <fmt/core.h>
#include <sys/resource.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "adapters/digest.hpp"
#include "adapters/reader.hpp"
#include "bench/mode_flags.hpp"
#include "bench/must.hpp"
#include "core/json.hpp"
#include "cpu/adapter_packer.hpp"

namespace {

using namespace lorica;
using bench::must;

struct settings {
  std::string model = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
  std::string adapters;
  std::uint32_t loads = 30;
  std::string only;  ///< a kind of load; empty: all, and their parts
  bench::mode_flags how;
};

void add_flags(CLI::App& app, settings& s) {
  app.add_option("--model", s.model)->capture_default_str();
  app.add_option("--adapters", s.adapters, "a directory of directories of adapters")->required();
  app.add_option("--loads", s.loads, "of each kind")->check(CLI::Range(1, 10'000))->capture_default_str();
  app.add_option("--only", s.only, "for a profile")
      ->check(CLI::IsMember({"first load", "load again", "without packing"}));
  bench::add_dtype_flags(app, s.how);
}

/// What a piece of work took.
struct cost {
  double wall_ms = 0;
  double user_ms = 0;
  double system_ms = 0;
  double faults = 0;
};

double milliseconds(const timeval& t) {
  return 1e3 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_usec);
}

/// The process's threads all together, while it does `work`.
cost cost_of(const std::function<void()>& work) {
  rusage before{};
  rusage after{};
  ::getrusage(RUSAGE_SELF, &before);
  const auto began = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - began;
  ::getrusage(RUSAGE_SELF, &after);
  return {wall.count(), milliseconds(after.ru_utime) - milliseconds(before.ru_utime),
          milliseconds(after.ru_stime) - milliseconds(before.ru_stime),
          static_cast<double>(after.ru_minflt - before.ru_minflt)};
}

std::vector<std::string> adapters_in(const std::string& directory) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (std::filesystem::exists(entry.path() / "adapter_config.json")) out.push_back(entry.path().string());
  std::ranges::sort(out);
  return out;
}

/// Loads of several kinds, in turns.
class load_bench {
 public:
  explicit load_bench(const settings& s)
      : settings_(s),
        base_(must(open_model(s.model))),
        packer_(base_, s.how.mode()),
        places_(adapters_in(s.adapters)) {
    if (places_.empty()) throw std::runtime_error(s.adapters + " holds no adapters");
  }

  void run(json_writer& json) {
    kind(
        "first load", [&](const std::string& path) { load(path, &packer_, true); }, json);
    kind(
        "load again", [&](const std::string& path) { load(path, &packer_, false); }, json);
    kind(
        "without packing", [&](const std::string& path) { load(path, nullptr, false); }, json);
    if (settings_.only.empty()) parts(json);
  }

 private:
  loaded_adapter load(const std::string& path, const adapter_packer* into, bool measured) const {
    auto place = must(open_place(path));
    return must(read_adapter(place, base_->config(), {}, {.into = into, .measure = measured}));
  }

  /// The medians of loads, each of another adapter.
  void kind(const char* name, const std::function<void(const std::string&)>& work, json_writer& json) {
    if (!settings_.only.empty() && settings_.only != name) return;
    for (const auto& path : places_)
      if (&path - places_.data() < 4) work(path);  // into the page cache, and code that was never run
    std::vector<cost> all;
    for (std::uint32_t i = 0; i < settings_.loads; ++i)
      all.push_back(cost_of([&] { work(places_[i % places_.size()]); }));
    write(name, all, json);
  }

  /// Parts of a load by themselves, over numbers that are in memory.
  void parts(json_writer& json) {
    const auto read = load(places_.front(), nullptr, false);
    std::vector<cost> hashed, measured, packed;
    for (std::uint32_t i = 0; i < settings_.loads; ++i) {
      hashed.push_back(cost_of([&] { must(version_of(read.weights, {})); }));
      measured.push_back(cost_of([&] {
        for (const auto& site : read.weights.sites)
          measure(site);
      }));
      packed.push_back(cost_of([&] { must(packer_.pack(read.weights, {})); }));
    }
    write("  digest", hashed, json);
    write("  norms", measured, json);
    write("  packing", packed, json);
  }

  static double median(const std::vector<cost>& all, double cost::*which) {
    std::vector<double> out;
    for (const auto& one : all)
      out.push_back(one.*which);
    std::ranges::nth_element(out, out.begin() + static_cast<std::ptrdiff_t>(out.size() / 2));
    return out[out.size() / 2];
  }

  static void write(const char* name, const std::vector<cost>& all, json_writer& json) {
    double cpu = 0;
    for (const auto& one : all)
      cpu += (one.user_ms + one.system_ms) / static_cast<double>(all.size());
    std::fprintf(stderr, "%-18s wall %7.2f  cpu %7.2f (mean)  user %7.2f  system %6.2f ms  faults %6.0f\n",
                 name, median(all, &cost::wall_ms), cpu, median(all, &cost::user_ms),
                 median(all, &cost::system_ms), median(all, &cost::faults));
    json.key(name).begin_object().key("wall_ms").number(median(all, &cost::wall_ms));
    json.key("user_ms").number(median(all, &cost::user_ms));
    json.key("system_ms").number(median(all, &cost::system_ms));
    json.key("faults").number(median(all, &cost::faults)).end_object();
  }

  const settings& settings_;
  std::shared_ptr<const model_weights> base_;
  cpu_adapter_packer packer_;
  std::vector<std::string> places_;
};

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("What a load of an adapter takes of the processor");
  add_flags(app, s);
  CLI11_PARSE(app, argc, argv);
  try {
    json_writer json;
    json.begin_object();
    load_bench(s).run(json);
    std::printf("%s\n", json.end_object().take().c_str());
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica-bench-load: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
