#include "files/hub_cache.hpp"

#include <filesystem>
#include <fstream>

#include "files/read_file.hpp"
#include "tests/catch.hpp"
#include "tests/files/fake_hub.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

const std::string id = "org/model";
const std::string one = fake_hub::commit('1');
const std::string two = fake_hub::commit('2');

/// A cache with one model: `main` means commit one, `v2` commit two.
struct world {
  scratch_directory scratch;
  fake_hub hub{scratch.path() / "hub"};

  world() {
    hub.file(id, one, "config.json", "{\"a\":1}");
    hub.file(id, one, "onnx/weights.onnx", "nested");
    hub.file(id, two, "config.json", "{\"a\":2}");
    hub.reference(id, "main", one);
    hub.reference(id, "v2", two);
  }

  /// The content of config.json in the snapshot found, or the error with its reason.
  std::string look(const std::string& revision = "main", const std::string& wanted = id) const {
    auto found = find_snapshot(hub.cache(), {wanted, revision});
    if (found) return *read_file(*found + "/config.json", 1000);
    CHECK_THAT(found.error().text, !Catch::Contains(scratch.path().string()));
    return found.error().reason + ": " + found.error().text;
  }
};

}  // namespace

TEST_CASE("a model is found by branch, tag and commit, through links into blobs") {
  world w;
  CHECK(w.look() == "{\"a\":1}");
  CHECK(w.look("v2") == "{\"a\":2}");
  CHECK(w.look(two) == "{\"a\":2}");
  w.hub.reference(id, "refs/pr/1", two);
  CHECK(w.look("refs/pr/1") == "{\"a\":2}");
  w.hub.file("plain", one, "config.json", "{}");
  w.hub.reference("plain", "main", one);
  CHECK(w.look("main", "plain") == "{}");
}

TEST_CASE("a reference may end in blanks, and nothing else may be in it") {
  world w;
  w.hub.reference(id, "main", two + " \r\n");
  CHECK(w.look() == "{\"a\":2}");
  for (auto& text : {std::string(), std::string("\n"), std::string("v2"), one.substr(1), one + "0",
                     one.substr(0, 38) + "/.", std::string("../../../etc"), std::string(2000, '1'),
                     std::string(40, 'A')}) {
    INFO(text);
    w.hub.reference(id, "main", text);
    CHECK_THAT(w.look(), Catch::StartsWith("hub_not_found") && Catch::Contains("incomplete") &&
                             Catch::Contains("holds no commit"));
  }
}

TEST_CASE("what is not in the cache is told with the place and the way to get it") {
  world w;
  CHECK_THAT(
      w.look("main", "org/other"),
      Catch::StartsWith("hub_not_found: 'org/other' is not in the Hugging Face cache ($HF_HOME/hub)") &&
          Catch::Contains("`hf download org/other`"));
  CHECK_THAT(w.look("v3"), Catch::StartsWith("hub_not_found") && Catch::Contains("no revision 'v3'") &&
                               Catch::Contains("only main, v2") &&
                               Catch::Contains("`hf download org/model --revision v3`"));
  CHECK_THAT(w.look(fake_hub::commit('3')), Catch::Contains("its snapshot is not there"));
  w.hub.reference(id, "gone", fake_hub::commit('3'));
  CHECK_THAT(w.look("gone"), Catch::Contains("its snapshot is not there"));
  CHECK_THAT(w.look("refs"), Catch::Contains("no revision 'refs'"));
}

TEST_CASE("a cache that is not there is told by its variable") {
  auto nowhere = find_snapshot({"/nowhere/at/all", "~/.cache/huggingface/hub"}, {id, "main"});
  REQUIRE_FALSE(nowhere);
  CHECK_THAT(nowhere.error().text, Catch::Contains("(~/.cache/huggingface/hub)"));
  auto none = find_snapshot({}, {id, "main"});
  REQUIRE_FALSE(none);
  CHECK_THAT(none.error().text, Catch::Contains("set HF_HOME"));
}

TEST_CASE("a link to nothing makes a snapshot incomplete, a link out of the cache refuses it") {
  world w;
  auto snapshot = w.hub.snapshot(id, one);
  fs::create_symlink("../../blobs/gone", snapshot / "model.safetensors");
  CHECK_THAT(w.look(), Catch::StartsWith("hub_not_found") && Catch::Contains("model.safetensors is a link"));
  fs::remove(snapshot / "model.safetensors");
  fs::create_symlink("loop", snapshot / "loop");
  CHECK_THAT(w.look(), Catch::StartsWith("hub_not_found") && Catch::Contains("loop is a link"));
  fs::remove(snapshot / "loop");
  w.scratch.write("outside.txt", "secret");
  fs::create_symlink("../../../../outside.txt", snapshot / "tokenizer.json");
  CHECK_THAT(w.look(), Catch::StartsWith("path_not_allowed") && Catch::Contains("tokenizer.json leads out"));
  fs::remove(snapshot / "tokenizer.json");
  fs::create_symlink(w.scratch.path() / "outside.txt", snapshot / "tokenizer.json");
  CHECK_THAT(w.look(), Catch::StartsWith("path_not_allowed"));
  fs::remove(snapshot / "tokenizer.json");
  CHECK(w.look() == "{\"a\":1}");
}

TEST_CASE("snapshots, references and repositories that lead out of the cache are refused") {
  world w;
  auto outside = w.scratch.path() / "outside";
  fs::create_directories(outside);
  fs::copy_file(w.hub.snapshot(id, two) / "config.json", outside / "config.json");
  fs::create_directory_symlink(outside, w.hub.snapshot(id, fake_hub::commit('4')));
  CHECK_THAT(w.look(fake_hub::commit('4')), Catch::StartsWith("path_not_allowed"));
  auto empty = w.scratch.path() / "empty";
  fs::create_directories(empty);
  fs::create_directory_symlink(empty, w.hub.snapshot(id, fake_hub::commit('5')));
  CHECK_THAT(w.look(fake_hub::commit('5')), Catch::StartsWith("path_not_allowed"));
  std::ofstream(outside / "reference") << two;
  fs::create_symlink(outside / "reference", w.hub.repository(id) / "refs" / "linked");
  CHECK_THAT(w.look("linked"), Catch::StartsWith("path_not_allowed"));
  fs::rename(w.hub.repository(id), outside / "moved");
  fs::create_directory_symlink(outside / "moved", w.hub.repository(id));
  CHECK_THAT(w.look(), Catch::StartsWith("path_not_allowed"));
}

TEST_CASE("the cache itself may be behind a link, and files may lie in it without links") {
  world w;
  fs::create_directory_symlink(w.hub.root(), w.scratch.path() / "linked");
  auto found = find_snapshot({(w.scratch.path() / "linked").string(), "$HF_HUB_CACHE"}, {id, "main"});
  REQUIRE(found);
  CHECK(*read_file(*found + "/config.json", 100) == "{\"a\":1}");
  std::ofstream(w.hub.snapshot(id, two) / "plain.txt") << "no link";
  CHECK(w.look("v2") == "{\"a\":2}");
}

TEST_CASE("a repository id keeps to the grammar of the Hub") {
  auto longest = std::string(96, 'a');
  for (auto& good :
       {std::string("org/name"), std::string("gpt2"), std::string("a/b"), std::string("o_1/n.2-x"),
        std::string("_a/b_"), longest + "/" + longest, std::string("meta-llama/Llama-3.2-1B")}) {
    INFO(good);
    CHECK(is_repository_id(good));
  }
  for (auto& bad : {std::string(),
                    std::string("/"),
                    std::string("a/"),
                    std::string("/b"),
                    std::string("a/b/c"),
                    std::string("../x"),
                    std::string("x/.."),
                    std::string("a..b"),
                    std::string("org/a--b"),
                    std::string("--"),
                    std::string("-a/b"),
                    std::string("a/b-"),
                    std::string(".a/b"),
                    std::string("a/b."),
                    std::string("a/b.git"),
                    std::string("a/b.ipynb"),
                    std::string("a b"),
                    std::string("a\\b"),
                    std::string("a/b\n"),
                    std::string("a\0b", 3),
                    std::string("\xc3\xa4/b"),
                    std::string("a:b"),
                    std::string("a/b@main"),
                    longest + "a",
                    "a/" + longest + "a"}) {
    INFO(bad);
    CHECK_FALSE(is_repository_id(bad));
    CHECK(find_snapshot({"/", "/"}, {bad, "main"}).error().code == errc::invalid);
  }
}

TEST_CASE("a revision never leads out of the references") {
  for (auto good : {"main", "v1.0", "refs/pr/12", "feature/x_y", "1111111111111111111111111111111111111111"})
    CHECK(is_revision(good));
  for (auto& bad :
       {std::string(), std::string("/"), std::string("/main"), std::string("main/"), std::string("a//b"),
        std::string(".."), std::string("../x"), std::string("a/../b"), std::string(".hidden"),
        std::string("a/.b"), std::string("--help"), std::string("a b"), std::string("a\n"),
        std::string("a`b"), std::string("a\\b"), std::string("a\0b", 3), std::string(256, 'a')}) {
    INFO(bad);
    CHECK_FALSE(is_revision(bad));
    CHECK(find_snapshot({"/", "/"}, {id, bad}).error().code == errc::invalid);
  }
}

TEST_CASE("the environment decides where the cache is, the nearest variable first") {
  hub_environment all{"/chosen", "/hf", "/xdg", "/home/me"};
  auto chosen = find_hub_cache(all);
  CHECK(chosen.root == "/chosen");
  CHECK_THAT(chosen.place, Catch::Contains("HF_HUB_CACHE"));
  all.chosen.clear();
  CHECK(find_hub_cache(all).root == "/hf/hub");
  CHECK(find_hub_cache(all).place == "$HF_HOME/hub");
  all.hf_home = "~/hf";
  CHECK(find_hub_cache(all).root == "/home/me/hf/hub");
  all.hf_home.clear();
  CHECK(find_hub_cache(all).root == "/xdg/huggingface/hub");
  CHECK(find_hub_cache(all).place == "$XDG_CACHE_HOME/huggingface/hub");
  all.xdg_cache_home.clear();
  CHECK(find_hub_cache(all).root == "/home/me/.cache/huggingface/hub");
  CHECK(find_hub_cache(all).place == "~/.cache/huggingface/hub");
  all.home.clear();
  CHECK(find_hub_cache(all).root.empty());
}
