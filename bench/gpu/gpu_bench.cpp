#include "bench/gpu/gpu_bench.hpp"

#include <algorithm>
#include <ctime>
#include <ostream>

#include "bench/gpu/cases.hpp"
#include "bench/gpu/document_file.hpp"
#include "bench/gpu/flags.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/suite_run.hpp"

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

std::string_view dtype_of(const session_settings& s) {
  return s.weights == gpu::weight_format::fp8 ? "fp8" : "bfloat16";
}

void tell_head(const bench_flags& flags, const card& at, std::ostream& told) {
  const auto& s = flags.settings;
  told << at.properties.name << ", driver for CUDA " << at.driver << ", runtime " << at.runtime << ", up to "
       << at.clock_mhz << " MHz; " << s.shape.name << ", random " << dtype_of(s) << " weights, graphs "
       << (s.graphs ? "on" : "off") << ", " << s.how.runs << " runs after " << s.how.warmups << ", at most "
       << s.limit << " s\n"
       << table_head();
}

void tell_cases(const suite_run& run, std::ostream& told) {
  for (auto& c : run.outcomes())
    if (!c.why.empty()) told << c.id << " " << name_of(c.state) << ": " << c.why << "\n";
}

gpu_bench_exit exit_of(const suite_run& run) {
  bool late = false;
  for (auto& r : run.measured().rows()) {
    if (!r.missing.empty() && !r.out_of_room && !r.out_of_time) return gpu_bench_exit::failed;
    late = late || r.out_of_time || !r.cut.empty();
  }
  for (auto& c : run.outcomes())
    late = late || c.why == no_time;
  return late ? gpu_bench_exit::out_of_time : gpu_bench_exit::done;
}

gpu_bench_exit measure(const bench_flags& flags, const card& at, std::span<const std::string> words,
                       std::ostream& out, std::ostream& told) {
  suite_run run(flags.settings, at, cases(), [&flags](std::string_view id) { return is_wanted(flags, id); });
  const run_facts facts{command_of(words), date_of_today(), flags.clocks};
  const auto document = [&] { return json_of(run, facts); };
  result<void> written;
  const auto write = [&] {
    if (!flags.output.empty()) written = write_document(flags.output, document());
  };
  write();  // before anything takes time
  if (!written) {
    told << "gpu_bench: " << written.error().text << "\n";
    return gpu_bench_exit::failed;
  }
  const auto can = check_weights(flags.settings.weights, at.properties);
  if (!can) {
    if (flags.output.empty()) out << document() << "\n";
    told << "gpu_bench: --dtype: " << can.error().text << "\n";
    return gpu_bench_exit::no_device;
  }
  tell_head(flags, at, told);
  run.changed = write;
  run.watch = [&told](const row& r) { told << line_of(r) << std::flush; };
  run.run();
  tell_cases(run, told);
  told << verdict_of(run.measured());
  if (flags.output.empty() && !(out << document() << "\n")) return gpu_bench_exit::failed;
  if (written) return exit_of(run);
  told << "gpu_bench: " << written.error().text << "\n";
  return gpu_bench_exit::failed;
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
  const auto at = card_of(flags->settings.device);
  if (!at) {
    told << "gpu_bench: " << at.error().text << "\n";
    return gpu_bench_exit::no_device;
  }
  return measure(*flags, *at, words, out, told);
}

}  // namespace lorica::bench
