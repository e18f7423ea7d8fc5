#include "bench/gpu/gpu_bench.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <ostream>

#include "bench/gpu/cases.hpp"
#include "bench/gpu/flags.hpp"
#include "bench/gpu/report.hpp"

namespace lorica::bench {
namespace {

bool is_wanted(const bench_flags& flags, std::string_view id) {
  return flags.only.empty() || std::ranges::find(flags.only, id) != flags.only.end();
}

std::string command_of(std::span<const std::string> words) {
  std::string out = "gpu_bench";
  for (auto& w : words)
    out += w.find(' ') == std::string::npos ? " " + w : " '" + w + "'";
  return out;
}

/// In universal time.
std::string date_of_today() {
  const auto now = std::time(nullptr);
  std::tm parts{};
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d", gmtime_r(&now, &parts))};
}

void run_cases(const bench_flags& flags, session& s) {
  for (auto& c : cases())
    if (is_wanted(flags, c.id)) s.guard(std::string(c.id), [&] { c.run(s); });
}

bool write_document(const bench_flags& flags, const std::string& json, std::ostream& out) {
  if (flags.output.empty()) return static_cast<bool>(out << json << "\n");
  std::ofstream file(flags.output);
  return static_cast<bool>(file << json << "\n" << std::flush);
}

gpu_bench_exit measure(const bench_flags& flags, const card& at, std::span<const std::string> words,
                       std::ostream& out, std::ostream& told) {
  session s(flags.settings, at);
  s.watch = [&told](const row& r) { told << line_of(r) << std::flush; };
  told << at.properties.name << ", driver for CUDA " << at.driver << ", runtime " << at.runtime << ", up to "
       << at.clock_mhz << " MHz; " << flags.settings.shape.name << ", random bfloat16 weights, graphs "
       << (flags.settings.graphs ? "on" : "off") << ", " << flags.settings.how.runs << " runs after "
       << flags.settings.how.warmups << "\n"
       << table_head();
  run_cases(flags, s);
  told << verdict_of(s);
  if (!write_document(flags, json_of(s, {command_of(words), date_of_today(), flags.clocks}), out)) {
    told << "gpu_bench: --output: the file cannot be written\n";
    return gpu_bench_exit::failed;
  }
  const bool failed =
      std::ranges::any_of(s.rows(), [](auto& r) { return !r.missing.empty() && !r.out_of_room; });
  return failed ? gpu_bench_exit::failed : gpu_bench_exit::done;
}

}  // namespace

gpu_bench_exit run_gpu_bench(std::span<const std::string> words, std::ostream& out, std::ostream& told) {
  const auto flags = read_flags(words);
  if (!flags) {
    told << "gpu_bench: " << flags.error().text << "\n";
    return gpu_bench_exit::wrong_flag;
  }
  if (flags->help) {
    out << help_text();
    return gpu_bench_exit::done;
  }
  if (flags->list) {
    for (auto& c : cases())
      out << c.id << "  " << c.what << "\n";
    return gpu_bench_exit::done;
  }
  const auto at = card_at(flags->settings.device);
  if (!at) {
    told << "gpu_bench: " << at.error().text << "\n";
    return gpu_bench_exit::no_device;
  }
  return measure(*flags, *at, words, out, told);
}

}  // namespace lorica::bench
