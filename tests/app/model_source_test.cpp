#include "app/model_source.hpp"

#include <filesystem>

#include "tests/catch.hpp"
#include "tests/files/fake_hub.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

const std::string commit = fake_hub::commit('1');

std::string manifest(const std::string& base, const std::string& revision = "null") {
  return R"({"peft_type":"LORA","r":8,"lora_alpha":16,"base_model_name_or_path":)" + base +
         R"(,"revision":)" + revision + "}";
}

struct world {
  scratch_directory scratch;
  fake_hub hub{scratch.path() / "hub"};

  world() {
    add("org/base");
    hub.reference("org/base", "v2", fake_hub::commit('2'));
    hub.file("org/base", fake_hub::commit('2'), "config.json", "{}");
  }

  void add(const std::string& id) const {
    hub.file(id, commit, "config.json", "{}");
    hub.file(id, commit, "model.safetensors", id);
    hub.reference(id, "main", commit);
  }

  std::string adapter(const std::string& config, const std::string& name = "sql") const {
    scratch.write(name + "/adapter_config.json", config);
    return (scratch.path() / name).string();
  }

  std::string snapshot(const std::string& id, const std::string& which = commit) const {
    return fs::canonical(hub.snapshot(id, which)).string();
  }

  result<model_source> find(const std::string& model_id, const std::string& revision = "main") const {
    return find_model(model_id, revision, hub.cache());
  }

  /// The text of the error, without any path in it.
  std::string trouble(const std::string& model_id, const std::string& revision = "main") const {
    auto found = find(model_id, revision);
    REQUIRE_FALSE(found);
    CHECK_THAT(found.error().text, !Catch::Contains(scratch.path().string()));
    return found.error().text;
  }
};

/// Runs in another working directory while it lives.
class working_directory {
 public:
  explicit working_directory(const fs::path& path) : before_(fs::current_path()) { fs::current_path(path); }
  ~working_directory() { fs::current_path(before_); }

 private:
  fs::path before_;
};

}  // namespace

TEST_CASE("an id is looked up in the cache and becomes the public name") {
  world w;
  auto found = w.find("org/base");
  REQUIRE(found);
  CHECK(found->path == w.snapshot("org/base"));
  CHECK(found->name == "org/base");
  CHECK_FALSE(found->adapter);
  CHECK(w.find("org/base", "v2")->path == w.snapshot("org/base", fake_hub::commit('2')));
  CHECK(w.find("org/base", fake_hub::commit('2'))->path == w.snapshot("org/base", fake_hub::commit('2')));
}

TEST_CASE("a local path wins over an id and keeps the name of its files") {
  world w;
  w.scratch.write("org/base/config.json", "{}");
  working_directory here(w.scratch.path());
  auto found = w.find("org/base");
  REQUIRE(found);
  CHECK(found->path == "org/base");
  CHECK(found->name.empty());
  CHECK_THAT(w.trouble("org/base", "v2"),
             Catch::StartsWith("--revision: 'v2'") && Catch::Contains("local path"));
}

TEST_CASE("what is nowhere is told by the setting, without its folder") {
  world w;
  CHECK_THAT(w.trouble("org/none"),
             Catch::StartsWith("--model-id: 'org/none' is not in the Hugging Face cache") &&
                 Catch::Contains("`hf download org/none`"));
  CHECK_THAT(w.trouble("org/base", "v3"), Catch::Contains("no revision 'v3'"));
  CHECK_THAT(w.trouble("/very/secret/place/m"),
             Catch::StartsWith("--model-id: 'm' is not there") && !Catch::Contains("secret"));
  CHECK_THAT(w.trouble("models/x.gguf"),
             Catch::Contains("'x.gguf' is not there") && !Catch::Contains("hf download"));
  CHECK_THAT(w.trouble("../org/base"), Catch::Contains("'base' is not there"));
  CHECK_THAT(w.trouble("a/b/c"), Catch::Contains("'c' is not there"));
  CHECK_THAT(w.trouble("org/base", "../x"), Catch::StartsWith("--revision: '../x'"));
  CHECK(w.find("org/base", "../x").error().code == errc::bad_config);
}

TEST_CASE("a directory of GGUF files is refused with their names") {
  world w;
  w.hub.file("org/quants", commit, "b-Q8_0.gguf", "x");
  w.hub.file("org/quants", commit, "a-Q4_0.gguf", "x");
  w.hub.file("org/quants", commit, "config.json", "{}");
  w.hub.reference("org/quants", "main", commit);
  CHECK_THAT(w.trouble("org/quants"),
             Catch::Contains("a-Q4_0.gguf, b-Q8_0.gguf") && Catch::Contains("the path of one"));
  w.scratch.write("quants/c.gguf", "x");
  CHECK_THAT(w.trouble((w.scratch.path() / "quants").string()), Catch::Contains("c.gguf"));
}

TEST_CASE("an adapter's directory brings its base along and is served under its own name") {
  world w;
  auto path = w.adapter(manifest("\"org/base\""));
  for (auto& spelled : {path, path + "/", path + "/."}) {
    auto found = w.find(spelled);
    REQUIRE(found);
    CHECK(found->path == w.snapshot("org/base"));
    CHECK(found->name == "org/base");
    REQUIRE(found->adapter);
    CHECK(found->adapter->name == "sql");
    CHECK(found->adapter->path == spelled);
  }
  auto pinned = w.find(w.adapter(manifest("\"org/base\"", "\"v2\"")));
  REQUIRE(pinned);
  CHECK(pinned->path == w.snapshot("org/base", fake_hub::commit('2')));
}

TEST_CASE("an adapter's base may be a local path, seen from the working directory") {
  world w;
  w.scratch.write("bases/tiny/config.json", "{}");
  auto path = w.adapter(manifest("\"bases/tiny\"", "\"v9\""));
  working_directory here(w.scratch.path());
  auto found = w.find(path);
  REQUIRE(found);
  CHECK(found->path == "bases/tiny");
  CHECK(found->name.empty());
}

TEST_CASE("an adapter in the cache is served under its id") {
  world w;
  w.hub.file("org/sql", commit, "adapter_config.json", manifest("\"org/base\""));
  w.hub.reference("org/sql", "main", commit);
  auto found = w.find("org/sql");
  REQUIRE(found);
  CHECK(found->name == "org/base");
  REQUIRE(found->adapter);
  CHECK(found->adapter->name == "org/sql");
  CHECK(found->adapter->path == w.snapshot("org/sql"));
}

TEST_CASE("a directory with both configs is a base model") {
  world w;
  auto path = w.adapter(manifest("\"org/none\""));
  w.scratch.write("sql/config.json", "{}");
  auto found = w.find(path);
  REQUIRE(found);
  CHECK(found->path == path);
  CHECK_FALSE(found->adapter);
}

TEST_CASE("a base that cannot be found is told by the field, with a way out") {
  world w;
  struct row {
    std::string base, revision, word;
  };
  for (auto& [base, revision, word] :
       {row{"\"org/none\"", "null", "'org/none'"}, row{"\"org/base\"", "\"v9\"", "'v9'"},
        row{"\"org/base\"", "\"../x\"", "a revision is"}, row{"null", "null", "is missing"},
        row{"\"\"", "null", "is missing"}, row{"\"/root/secret/base-7b\"", "null", "'base-7b'"}}) {
    auto said = w.trouble(w.adapter(manifest(base, revision)));
    CHECK_THAT(said, Catch::Contains(word));
    CHECK_THAT(said, Catch::Contains("adapter_config.json: base_model_name_or_path"));
    CHECK_THAT(said, Catch::Contains("--lora-adapters NAME=DIRECTORY"));
    CHECK_THAT(said, !Catch::Contains("secret"));
  }
}

TEST_CASE("an adapter on an adapter is refused, and so is one that cannot be served") {
  world w;
  w.hub.file("org/sql", commit, "adapter_config.json", manifest("\"org/base\""));
  w.hub.reference("org/sql", "main", commit);
  CHECK_THAT(w.trouble(w.adapter(manifest("\"org/sql\""))), Catch::Contains("is an adapter too"));
  auto self = w.adapter("", "self");
  w.scratch.write("self/adapter_config.json", manifest('"' + self + '"'));
  CHECK_THAT(w.trouble(self), Catch::Contains("is an adapter too"));
  CHECK_THAT(w.trouble(w.adapter("{\"peft_type\":\"IA3\"}", "ia3")),
             Catch::StartsWith("--model-id: ") && Catch::Contains("IA3"));
  CHECK_THAT(w.trouble(w.adapter(manifest("\"org/base\""), "my adapter")),
             Catch::Contains("'my adapter'") && Catch::Contains("NAME=DIRECTORY"));
}
