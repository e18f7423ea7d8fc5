#include "app/memory_budget.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

/// A file system root made for one test.
class fake_root {
 public:
  fake_root() : path_(fs::temp_directory_path() / ("lorica-memory-" + std::to_string(::getpid()))) {
    fs::remove_all(path_);
  }
  ~fake_root() { fs::remove_all(path_); }
  void write(const std::string& name, const std::string& text) {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name) << text;
  }
  std::string root() const { return path_.string() + "/"; }

 private:
  fs::path path_;
};

constexpr kv_request small{.available = 1'000'000,
                           .bytes_per_token = 100,
                           .block_tokens = 16,
                           .max_sequences = 4,
                           .max_positions = 160};

}  // namespace

TEST_CASE("without control groups the machine's available memory counts") {
  fake_root r;
  r.write("proc/meminfo", "MemTotal: 200 kB\nMemAvailable: 100 kB\n");
  r.write("proc/self/cgroup", "0::/\n");
  CHECK(available_memory(r.root()) == 100 * 1024);
}

TEST_CASE("the tightest control group on the way to the root counts, less what it uses") {
  fake_root r;
  r.write("proc/meminfo", "MemAvailable: 100000 kB\n");
  r.write("proc/self/cgroup", "0::/a/b\n");
  r.write("sys/fs/cgroup/a/b/memory.max", "max\n");
  r.write("sys/fs/cgroup/a/memory.max", "50000\n");
  r.write("sys/fs/cgroup/a/memory.current", "20000\n");
  CHECK(available_memory(r.root()) == 30000);
}

TEST_CASE("version 1 of the memory controller is read too") {
  fake_root r;
  r.write("proc/meminfo", "MemAvailable: 100000 kB\n");
  r.write("proc/self/cgroup", "5:cpu:/x\n4:memory:/x\n");
  r.write("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "4096\n");
  r.write("sys/fs/cgroup/memory/x/memory.usage_in_bytes", "5000\n");
  CHECK(available_memory(r.root()) == 0);
}

TEST_CASE("the pool is bounded by what all sequences can use") {
  auto plan = plan_kv(small);
  REQUIRE(plan);
  CHECK(plan->blocks == 40);
  CHECK(plan->max_total_tokens == 160);
}

TEST_CASE("a small pool shortens the longest request unless that was set") {
  auto r = small;
  r.kv_memory = 100 * 16 * 5;
  auto plan = plan_kv(r);
  REQUIRE(plan);
  CHECK(plan->blocks == 5);
  CHECK(plan->max_total_tokens == 80);
  r.max_total_tokens = 81;
  auto refused = plan_kv(r);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().text, Catch::Contains("--kv-memory") && Catch::Contains("9600"));
}

TEST_CASE("a request longer than the model is refused at start") {
  auto r = small;
  r.max_total_tokens = 161;
  CHECK_FALSE(plan_kv(r));
}
