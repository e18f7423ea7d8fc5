#include "bench/process_tree.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace lorica::bench {
namespace {

struct process {
  pid_t parent = 0;
  double seconds = 0;  // of the processor, children that have ended and were waited for included
};

std::optional<process> read_process(const std::filesystem::path& folder) {
  std::ifstream file(folder / "stat");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  auto name_end = text.rfind(')');  // the name may hold blanks and brackets
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(text.substr(name_end + 1));
  process out;
  std::string state, skipped;
  double ticks[4] = {};
  rest >> state >> out.parent;
  for (int field = 5; field < 14; ++field)
    rest >> skipped;
  for (auto& t : ticks)
    rest >> t;
  if (!rest) return std::nullopt;
  out.seconds = (ticks[0] + ticks[1] + ticks[2] + ticks[3]) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return out;
}

std::map<pid_t, process> read_all() {
  std::map<pid_t, process> out;
  std::error_code ec;
  for (auto& entry : std::filesystem::directory_iterator("/proc", ec)) {
    auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (auto p = read_process(entry.path())) out.emplace(static_cast<pid_t>(std::stol(name)), *p);
  }
  return out;
}

/// The given ones and their descendants; empty when a given one is not there.
std::set<pid_t> family(const std::map<pid_t, process>& all, std::span<const pid_t> processes) {
  std::set<pid_t> out;
  for (auto p : processes) {
    if (!all.contains(p)) return {};
    out.insert(p);
  }
  for (bool grown = true; grown;) {
    grown = false;
    for (auto& [id, p] : all)
      if (out.contains(p.parent)) grown |= out.insert(id).second;
  }
  return out;
}

double proportional_bytes(pid_t id) {
  std::ifstream file("/proc/" + std::to_string(id) + "/smaps_rollup");
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with("Pss:")) return std::stod(line.substr(4)) * 1024;
  return 0;
}

}  // namespace

std::optional<double> processor_seconds(std::span<const pid_t> processes) {
  const auto all = read_all();
  const auto mine = family(all, processes);
  if (mine.empty()) return std::nullopt;
  double out = 0;
  for (auto id : mine)
    out += all.at(id).seconds;
  return out;
}

std::optional<double> resident_bytes(std::span<const pid_t> processes) {
  const auto mine = family(read_all(), processes);
  if (mine.empty()) return std::nullopt;
  double out = 0;
  for (auto id : mine)
    out += proportional_bytes(id);
  return out;
}

}  // namespace lorica::bench
