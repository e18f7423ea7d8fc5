#include "adapters/adapter_roots.hpp"

#include <filesystem>
#include <fstream>

#include "adapters/adapter_origin.hpp"
#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

/// A root with adapters `sql` and `acme/style`, a cache-like one of links, and something outside.
struct tree {
  scratch_directory scratch;
  fs::path top = scratch.path();
  fs::path root = top / "root";

  tree() {
    for (auto* name : {"root/sql", "root/acme/style", "root/empty", "outside", "root/blobs", "root/cached"})
      fs::create_directories(top / name);
    for (auto* name : {"root/sql", "root/acme/style", "outside"})
      std::ofstream(top / name / "adapter_config.json") << "{}";
    std::ofstream(root / "blobs/x") << "{}";
    fs::create_symlink("../blobs/x", root / "cached/adapter_config.json");
    fs::create_directory_symlink("../outside", root / "climbs");
    fs::create_directory_symlink(top / "outside", root / "absolute");
    fs::create_directory_symlink("loop", root / "loop");
  }
};

std::string reason(const adapter_roots& roots, std::string_view path) {
  auto found = roots.open_directory(path);
  return found ? "opened" : found.error().reason;
}

}  // namespace

TEST_CASE("paths below a root open, relative or absolute, links inside it included") {
  tree t;
  auto roots = adapter_roots::open({t.root.string()});
  REQUIRE(roots);
  CHECK(reason(*roots, "sql") == "opened");
  CHECK(reason(*roots, "sql/") == "opened");
  CHECK(reason(*roots, "acme/style") == "opened");
  CHECK(reason(*roots, (t.root / "sql").string()) == "opened");
  auto cached = roots->open_directory("cached");
  REQUIRE(cached);
  CHECK(cached->file("adapter_config.json"));
  CHECK(reason(*roots, "nothing") == "missing_file");
}

TEST_CASE("no path leads out of a root") {
  tree t;
  auto roots = adapter_roots::open({t.root.string()});
  REQUIRE(roots);
  for (auto path : {"..", ".", "../outside", "sql/../../outside", "sql/../sql", "", "/", "//", "sql//",
                    "/etc", "./sql", "climbs", "absolute", "/proc/self/root", "acme//style"}) {
    INFO(path);
    auto why = reason(*roots, path);
    CHECK((why == "path_not_allowed" || std::string(path) == "sql//"));
  }
  CHECK(reason(*roots, (t.top / "outside").string()) == "path_not_allowed");
  CHECK(reason(*roots, t.root.string() + "evil") == "path_not_allowed");
  CHECK(reason(*roots, std::string("sql\0x", 5)) == "path_not_allowed");
  CHECK(reason(*roots, std::string(300, 'a')) == "path_not_allowed");
  for (auto path : {"....", "%2e%2e", "\xe2\x80\xa4\xe2\x80\xa4", "loop"}) {
    INFO(path);
    CHECK(reason(*roots, path) != "opened");
  }
  fs::create_symlink("../../outside/adapter_config.json", t.root / "empty/adapter_config.json");
  auto trap = roots->open_directory("empty");
  REQUIRE(trap);
  auto file = trap->file("adapter_config.json");
  REQUIRE_FALSE(file);
  CHECK(file.error().reason == "path_not_allowed");
  for (auto path : {"climbs", "../outside"}) {
    auto text = roots->open_directory(path).error().text;
    CHECK(text.find(t.top.string()) == std::string::npos);
  }
}

TEST_CASE("without a root every path is refused, and a root that is no directory stops the start") {
  CHECK(reason(adapter_roots(), "sql") == "path_not_allowed");
  auto bad = adapter_roots::open({"/nowhere/at/all"});
  REQUIRE_FALSE(bad);
  CHECK(bad.error().code == errc::bad_config);
}

TEST_CASE("a scan finds adapters to a depth of two by names of the grammar, and nothing outside") {
  tree t;
  fs::create_directories(t.root / "deep/er/est");
  std::ofstream(t.root / "deep/er/est/adapter_config.json") << "{}";
  fs::create_directories(t.root / "-odd");
  std::ofstream(t.root / "-odd/adapter_config.json") << "{}";
  auto roots = adapter_roots::open({t.root.string()});
  REQUIRE(roots);
  auto index = roots->scan();
  REQUIRE(index);
  CHECK(index->find("sql") == "sql");
  CHECK(index->find("acme/style") == "acme/style");
  for (auto name :
       {"empty", "climbs", "absolute", "loop", "-odd", "deep", "deep/er", "../outside", "cached/x"})
    CHECK_FALSE(index->find(name));
}

TEST_CASE("a source is a path, an id of the Hub, or either") {
  auto either = choose_origin("acme/style", "");
  CHECK(either.root->text == "acme/style");
  CHECK(either.hub->text == "acme/style@main");
  auto pinned = choose_origin("acme/style@v1", "");
  CHECK_FALSE(pinned.root);
  CHECK(pinned.hub->text == "acme/style@v1");
  CHECK(choose_origin("acme/style", "v2").hub->text == "acme/style@v2");
  CHECK_FALSE(choose_origin("acme/style@v1", "v2").hub);
  CHECK(choose_origin("/srv/a", "").root->text == "/srv/a");
  CHECK_FALSE(choose_origin("/srv/a", "").hub);
  CHECK_FALSE(choose_origin("", "").root);
  for (auto k : {adapter_origin::kind::path, adapter_origin::kind::root, adapter_origin::kind::hub}) {
    adapter_origin origin{k, "a/b@c"};
    CHECK(parse_origin(origin.written()) == origin);
  }
  CHECK_FALSE(parse_origin("elsewhere:x"));
}
