#include "adapters/root_index.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

void put(const fs::path& at) {
  fs::create_directories(at);
  std::ofstream(at / "adapter_config.json") << "{}";
}

struct world {
  scratch_directory scratch;
  fs::path first = fs::path(scratch.path()) / "first";
  fs::path second = fs::path(scratch.path()) / "second";

  world() {
    fs::create_directories(first);
    fs::create_directories(second);
  }

  adapter_roots open() const {
    auto out = adapter_roots::open({first.string(), second.string()});
    REQUIRE(out);
    return *std::move(out);
  }

  root_index scan(const root_index_limits& limits = {}) const {
    auto out = root_index::scan(open(), {}, limits);
    REQUIRE(out);
    return *std::move(out);
  }
};

}  // namespace

TEST_CASE("adapters are found by their names to a depth of two, in the first root that has them") {
  world w;
  for (auto path : {"sql", "org/sql", "org/triage", "both"})
    put(w.first / path);
  for (auto path : {"both", "late", "org/late"})
    put(w.second / path);
  // An adapter with checkpoints in it.
  put(w.first / "sql" / "checkpoint-100");
  auto index = w.scan();
  CHECK(index.find("sql") == rooted_path{0, "sql"});
  CHECK(index.find("org/sql") == rooted_path{0, "org/sql"});
  CHECK(index.find("org/triage") == rooted_path{0, "org/triage"});
  CHECK(index.find("both") == rooted_path{0, "both"});
  CHECK(index.find("late") == rooted_path{1, "late"});
  CHECK(index.find("org/late") == rooted_path{1, "org/late"});
  CHECK(index.find("sql/checkpoint-100") == rooted_path{0, "sql/checkpoint-100"});
  CHECK(index.size() == 7);
  CHECK(index.warnings().empty());
  auto roots = w.open();
  CHECK(roots.open_directory(*index.find("late"))->holds("adapter_config.json"));
  CHECK(root_index().find("sql") == std::nullopt);
  CHECK(root_index::scan(adapter_roots(), {})->size() == 0);
}

TEST_CASE("what is no adapter or has no adapter's name is not found, however it is spelled") {
  world w;
  put(w.first / "good");
  put(w.first / "a" / "b" / "c");
  put(w.first / ".hidden");
  put(w.first / "org" / ".hidden");
  put(w.first / "with blank");
  put(w.first / "-dash");
  put(w.first / "uml\xc3\xa4ut");
  put(w.first / std::string(129, 'x'));
  put(w.first / "org" / std::string(129, 'x'));
  put(w.first / std::string(128, 'x'));
  put(w.first);
  fs::create_directories(w.first / "empty");
  std::ofstream(w.first / "file") << "x";
  REQUIRE(::mkfifo((w.first / "pipe").c_str(), 0600) == 0);
  auto index = w.scan();
  CHECK(index.size() == 2);
  CHECK(index.find("good"));
  CHECK(index.find(std::string(128, 'x')));
  for (auto name :
       {"", ".", "..", "/", "a/b/c", "a/b", "empty", "file", "pipe", ".hidden", "org/.hidden", "GOOD",
        "./good", "good/", "good/../good", "../first/good", "/good", "with blank", "-dash"}) {
    INFO(name);
    CHECK_FALSE(index.find(name));
  }
  CHECK_FALSE(index.find(std::string_view("good\0", 5)));
  CHECK(index.warnings().empty());
}

TEST_CASE("a directory with one GGUF file counts, with several it needs the name of one") {
  world w;
  for (auto path : {"one", "org/one", "two", "org/two"})
    fs::create_directories(w.first / path);
  for (auto file :
       {"one/a.gguf", "org/one/a.gguf", "two/a.gguf", "two/b.gguf", "org/two/a.gguf", "org/two/b.gguf"})
    std::ofstream(w.first / file) << "x";
  auto index = w.scan();
  CHECK(index.find("one") == rooted_path{0, "one"});
  CHECK(index.find("org/one") == rooted_path{0, "org/one"});
  CHECK(index.size() == 2);
}

TEST_CASE("links count when they stay beneath the root") {
  world w;
  put(w.first / "org" / "sql");
  put(fs::path(w.scratch.path()) / "outside" / "secret");
  fs::create_directory_symlink("org/sql", w.first / "short");
  fs::create_directory_symlink("sql", w.first / "org" / "other");
  fs::create_directory_symlink("../outside/secret", w.first / "secret");
  fs::create_directory_symlink("../outside", w.first / "outside");
  fs::create_directory_symlink(w.scratch.path() + "/outside/secret", w.first / "absolute");
  fs::create_directory_symlink("loop", w.first / "loop");
  fs::create_directory_symlink(".", w.first / "self");
  auto index = w.scan();
  CHECK(index.find("short"));
  CHECK(index.find("org/other"));
  CHECK(index.find("self/short"));
  CHECK_FALSE(index.find("self/org/sql"));
  for (auto name : {"secret", "outside/secret", "absolute", "loop"})
    CHECK_FALSE(index.find(name));
}

TEST_CASE("an index is cut at its bounds, in the order of names, and says so") {
  world w;
  for (int i = 0; i < 20; ++i)
    put(w.first / ("a" + std::to_string(10 + i)));
  put(w.second / "a10");
  auto exact = w.scan({.max_names = 20});
  CHECK(exact.size() == 20);
  CHECK(exact.warnings().empty());
  auto cut = w.scan({.max_names = 5});
  CHECK(cut.size() == 5);
  for (auto name : {"a10", "a14"})
    CHECK(cut.find(name));
  CHECK_FALSE(cut.find("a15"));
  REQUIRE(cut.warnings().size() == 1);
  CHECK_THAT(cut.warnings()[0], Catch::Contains("more than 5 adapters"));

  // 20 directories, a file in each, one in the other root with its file.
  CHECK(w.scan({.max_entries = 42}).warnings().empty());
  auto brief = w.scan({.max_entries = 41});
  REQUIRE(brief.warnings().size() == 1);
  CHECK_THAT(brief.warnings()[0], Catch::Contains("more than 41 entries"));
  CHECK(w.scan({.max_entries = 3}).size() <= 3);
  CHECK(w.scan({.max_entries = 0}).size() == 0);
  CHECK(w.scan({.max_names = 0}).size() == 0);
}

TEST_CASE("a scan that nobody needs ends") {
  world w;
  put(w.first / "sql");
  std::stop_source stop;
  stop.request_stop();
  auto index = root_index::scan(w.open(), stop.get_token());
  REQUIRE_FALSE(index);
  CHECK(index.error().code == errc::cancelled);
}

TEST_CASE("a root that vanished is empty") {
  world w;
  put(w.first / "sql");
  put(w.second / "late");
  auto roots = w.open();
  fs::remove_all(w.first);
  auto index = root_index::scan(roots, {});
  REQUIRE(index);
  CHECK(index->size() == 1);
  CHECK(index->find("late"));
}
