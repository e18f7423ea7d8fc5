#include "bench/machine_load.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace lorica::bench {
namespace {

struct machine_times {
  double busy = 0;
  double total = 0;
  double steal = 0;
};

machine_times read_machine() {
  std::ifstream file("/proc/stat");
  std::string name;
  double jiffies[8] = {};
  file >> name;
  for (auto& j : jiffies)
    file >> j;
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  machine_times out;
  for (auto j : jiffies)
    out.total += j / ticks;
  out.busy = out.total - (jiffies[3] + jiffies[4]) / ticks;  // idle, iowait
  out.steal = jiffies[7] / ticks;
  return out;
}

double read_own() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

}  // namespace

machine_load::machine_load() : own_(read_own()) {
  auto now = read_machine();
  busy_ = now.busy;
  total_ = now.total;
  steal_ = now.steal;
}

double machine_load::own() const {
  return read_own() - own_;
}

double machine_load::foreign(double belongs) const {
  auto now = read_machine();
  const double total = now.total - total_;
  if (total <= 0) return 0;
  return std::clamp((now.busy - busy_ - own() - belongs) / total, 0.0, 1.0);
}

double machine_load::steal() const {
  auto now = read_machine();
  const double total = now.total - total_;
  return total <= 0 ? 0 : std::clamp((now.steal - steal_) / total, 0.0, 1.0);
}

}  // namespace lorica::bench
