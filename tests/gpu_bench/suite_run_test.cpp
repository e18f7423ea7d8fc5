#include "bench/gpu/suite_run.hpp"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "bench/gpu/child_process.hpp"
#include "bench/gpu/document_file.hpp"
#include "bench/gpu/host_memory.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/shape.hpp"
#include "core/json.hpp"
#include "tests/catch.hpp"

namespace lorica::bench {
namespace {

void one_row(session& s, const std::string& suite, const std::string& name) {
  s.add(suite, name, [](row& r) { r.time = times{1, 1, 1, 1}; });
}

constexpr bench_case some_cases[] = {
    {"G-1", "tells a rate",
     [](session& s) {
       one_row(s, "G-1", "first");
       static_cast<void>(s.copies());
     },
     1},
    {"G-2", "dies",
     [](session& s) {
       one_row(s, "G-2", "before");
       raise(SIGKILL);
     },
     1},
    {"G-3", "throws", [](session&) { throw std::runtime_error("it broke"); }, 1},
    {"G-4", "knows the rate",
     [](session& s) { s.add("G-4", "rate", [&s](row& r) { r.figure("known", s.known_copies() ? 1 : 0); }); },
     1},
    {"G-5", "is not wanted", [](session& s) { one_row(s, "G-5", "never"); }, 1},
    {"G-6", "has no time", [](session& s) { s.stop_at(deadline(0)), one_row(s, "G-6", "late"); }, 1},
};

session_settings tiny_settings() {
  session_settings out;
  out.shape = *shape_named("tiny");
  out.sizes = sizes_for("tiny");
  out.how = {0, 1, 0};
  return out;
}

suite_run run_of_some() {
  return {tiny_settings(), {}, some_cases, [](std::string_view id) { return id != "G-5"; }};
}

TEST_CASE("cases run for themselves: what one breaks the others do not see") {
  auto run = run_of_some();
  run.run();
  REQUIRE(run.complete());
  std::vector<std::pair<std::string, std::string>> rows;
  for (auto& r : run.measured().rows())
    rows.emplace_back(r.suite + " " + r.name, r.missing);
  REQUIRE(rows.size() == 6);
  CHECK(rows[0] == std::pair<std::string, std::string>{"G-1 first", ""});
  CHECK(rows[1] == std::pair<std::string, std::string>{"G-2 before", ""});
  CHECK(rows[2].first == "G-2 all that is left");
  CHECK(rows[2].second.find("its process was ended: ") == 0);
  CHECK(rows[3] == std::pair<std::string, std::string>{"G-3 all that is left", "it broke"});
  CHECK(rows[4].first == "G-4 rate");
  CHECK(run.measured().rows()[4].find("known") == 1);  // of the case before
  CHECK(rows[5] == std::pair<std::string, std::string>{"G-6 late", "no time was left"});
  const auto& o = run.outcomes();
  CHECK(name_of(o[0].state) == "ended");
  CHECK(name_of(o[1].state) == "cut off");
  CHECK(name_of(o[4].state) == "not run");
  CHECK(o[4].why == "it was not asked for");
  CHECK(o[5].why == "its time was over: not all of it was measured");
}

TEST_CASE("the document before the end has what was measured, and says where it stands") {
  auto run = run_of_some();
  std::vector<std::string> documents;
  run.changed = [&] { documents.push_back(json_of(run, {})); };
  run.run();
  // G-1 has told its row and is running.
  const auto early = parse_json(documents.at(1));
  REQUIRE(early);
  CHECK(!*early->find("complete")->as_bool());
  CHECK(early->find("rows")->as_array()->size() == 1);
  const auto& states = *early->find("cases")->as_array();
  CHECK(*states[0].find("state")->as_string() == "running");
  CHECK(*states[1].find("state")->as_string() == "not run");
  CHECK(*states[1].find("why")->as_string() == "its turn has not come");
  const auto last = parse_json(documents.back());
  REQUIRE(last);
  CHECK(*last->find("complete")->as_bool());
  CHECK(last->find("rows")->as_array()->size() == 6);
}

TEST_CASE("a process that never ends is ended, and what it sent is kept") {
  std::vector<std::string> lines;
  const auto end = run_in_child(
      [](const line_sender& send) {
        send("one");
        send("two");
        while (true)
          pause();
      },
      [&](std::string_view line) { lines.emplace_back(line); }, 0.3);
  REQUIRE(end);
  CHECK(end->too_late);
  CHECK(end->why.find("its process was ended after") == 0);
  CHECK(lines == std::vector<std::string>{"one", "two"});
  const auto thrown =
      run_in_child([](const line_sender&) { throw std::runtime_error("why"); }, [](auto) {}, 60);
  REQUIRE(thrown);
  CHECK(thrown->why == "why");
  CHECK(!thrown->too_late);
}

TEST_CASE("a case has its share of the time, and what it leaves goes to those behind") {
  CHECK(share_of_time(480, 40, 480) == 40);
  CHECK(share_of_time(470, 75, 440) == Approx(80.1).margin(0.02));  // the first took 10 of its 40
  CHECK(share_of_time(100, 5, 5) == 100);
  CHECK(share_of_time(-3, 5, 10) == 0);
  CHECK(share_of_time(5, 1, 0) == 0);
  CHECK(arrival_seconds(1000, 5, 30) == 30);
  CHECK(arrival_seconds(100, 5, 30) == Approx(14));
  CHECK(arrival_seconds(-1, 5, 30) == 0);
  CHECK(deadline(100).left() > 50);
  CHECK(deadline(-1).left() < 0);
}

TEST_CASE("a document is replaced whole or not at all") {
  char name[] = "gpu_bench_XXXXXX";
  REQUIRE(mkdtemp(name));
  const std::string path = std::string(name) + "/out.json";
  REQUIRE(write_document(path, "first"));
  std::ifstream before(path);  // holds what was there when it was opened
  REQUIRE(write_document(path, "second and longer"));
  std::stringstream old, now;
  old << before.rdbuf();
  now << std::ifstream(path).rdbuf();
  CHECK(old.str() == "first\n");
  CHECK(now.str() == "second and longer\n");
  CHECK(!write_document(path + "/no folder", "third"));
  const std::filesystem::directory_iterator files{name};
  CHECK(std::distance(begin(files), end(files)) == 1);  // nothing lies beside it
  std::filesystem::remove_all(name);
}

TEST_CASE("pinned memory for adapters is half of what the host can give") {
  char name[] = "gpu_bench_XXXXXX";
  REQUIRE(mkdtemp(name));
  const std::string root = std::string(name) + "/";
  std::filesystem::create_directories(root + "proc");
  std::filesystem::create_directories(root + "sys/fs/cgroup");
  CHECK(free_host_bytes(root) == 0);
  std::ofstream(root + "proc/meminfo") << "MemTotal: 99 kB\nMemAvailable: 4096 kB\n";
  CHECK(free_host_bytes(root) == 4096 << 10);
  std::ofstream(root + "sys/fs/cgroup/memory.max") << "max\n";
  CHECK(free_host_bytes(root) == 4096 << 10);
  std::ofstream(root + "sys/fs/cgroup/memory.max") << "3000000\n";
  std::ofstream(root + "sys/fs/cgroup/memory.current") << "1000000\n";
  CHECK(free_host_bytes(root) == 2'000'000);
  std::filesystem::remove_all(name);
  CHECK(host_gib_for(std::uint64_t{16} << 30) == 8);
  CHECK(host_gib_for(std::uint64_t{999} << 30) == 64);
}

}  // namespace
}  // namespace lorica::bench
