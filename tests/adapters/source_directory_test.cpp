#include "adapters/source_directory.hpp"

#include <filesystem>

#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"
#include "tests/files/fake_hub.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

struct world {
  scratch_directory scratch;
  fake_hub hub{scratch.path() + "/hub"};

  world() {
    hub.file("org/sql", fake_hub::commit('1'), "adapter_config.json", "{}");
    hub.reference("org/sql", "main", fake_hub::commit('1'));
  }
};

}  // namespace

TEST_CASE("a local directory wins over a repository, unless only the repository is meant") {
  world w;
  auto snapshot = fs::canonical(w.hub.snapshot("org/sql", fake_hub::commit('1'))).string();
  CHECK(*source_directory({"sql", "org/sql", "", false}, w.hub.cache()) == snapshot);
  CHECK(*source_directory({"sql", "org/sql", fake_hub::commit('1'), true}, w.hub.cache()) == snapshot);
  auto before = fs::current_path();
  fs::create_directories(w.scratch.path() + "/org/sql");
  fs::current_path(w.scratch.path());
  auto local = source_directory({"sql", "org/sql", "", false}, w.hub.cache());
  auto meant = source_directory({"sql", "org/sql", "", true}, w.hub.cache());
  fs::current_path(before);
  CHECK(*local == "org/sql");
  CHECK(*meant == snapshot);
}

TEST_CASE("a source that is nowhere says so, and a path is left to its reader") {
  world w;
  auto local = source_directory({"x", "org/none", "", false}, w.hub.cache());
  REQUIRE_FALSE(local);
  CHECK(local.error().code == errc::unknown_adapter);
  CHECK(local.error().reason == "hub_not_found");
  CHECK_THAT(local.error().text, Catch::Contains("$HF_HOME/hub") &&
                                     Catch::Contains("`hf download org/none`") &&
                                     Catch::Contains("nor is it a local directory"));
  auto revision = source_directory({"x", "org/sql", "v9", true}, w.hub.cache());
  REQUIRE_FALSE(revision);
  CHECK_THAT(revision.error().text, Catch::Contains("v9") && !Catch::Contains("local directory"));
  CHECK(*source_directory({"x", "/no/where", "", false}, w.hub.cache()) == "/no/where");
  CHECK(*source_directory({"x", "../org/none", "", false}, w.hub.cache()) == "../org/none");
}

TEST_CASE("an adapter whose files lead out of the cache is refused as such") {
  world w;
  w.scratch.write("adapter_model.safetensors", "x");
  fs::create_symlink(w.scratch.path() + "/adapter_model.safetensors",
                     w.hub.snapshot("org/sql", fake_hub::commit('1')) / "adapter_model.safetensors");
  auto found = source_directory({"sql", "org/sql", "", false}, w.hub.cache());
  REQUIRE_FALSE(found);
  CHECK(found.error().code == errc::bad_adapter);
  CHECK(found.error().reason == "path_not_allowed");
  CHECK_THAT(found.error().text, !Catch::Contains(w.scratch.path()));
}
