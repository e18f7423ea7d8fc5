#include <stdlib.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/adapters/hub_world.hpp"

// huggingface_hub and we share a cache. A Python that has it is named by LORICA_HUB_PYTHON.

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

/// The cache as `tools/make_hub_golden.py` lists it.
std::vector<std::string> tree_of(const fs::path& root) {
  std::vector<std::string> out;
  for (auto& entry : fs::recursive_directory_iterator(root)) {
    auto name = entry.path().lexically_relative(root).string();
    if (entry.is_symlink())
      out.push_back("l " + name + " -> " + fs::read_symlink(entry.path()).string());
    else if (entry.is_directory())
      out.push_back("d " + name);
    else if (name.ends_with(".lock") || name.ends_with("CACHEDIR.TAG"))
      out.push_back("f " + name);
    else
      out.push_back("f " + name + " " + hub_server::sha256_of(hub_world::read(entry.path())));
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string peer() {
  auto python = ::getenv("LORICA_HUB_PYTHON");
  if (!python || !*python) WARN("skipped: LORICA_HUB_PYTHON names no Python with huggingface_hub");
  return python ? python : "";
}

/// Runs a script of huggingface_hub against the world's Hub and cache; true when all its assertions held.
bool run_script(const hub_world& w, const std::string& python, const std::string& script, bool offline) {
  w.scratch.write("script.py", script);
  auto command =
      "env -u http_proxy -u HF_TOKEN HF_HOME='" + w.scratch.path() + "' HF_ENDPOINT='" + w.hub.url() +
      "' HF_HUB_DISABLE_XET=1 HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_OFFLINE=" + (offline ? "1 '" : "0 '") +
      python + "' '" + w.scratch.path() + "/script.py'";
  return ::system(command.c_str()) == 0;
}

}  // namespace

TEST_CASE("the cache that we write is the cache that huggingface_hub writes") {
  hub_world w;
  w.check_whole(w.fetch());
  std::vector<std::string> expected;
  std::ifstream in(LORICA_TEST_DATA "/golden/hub_cache_tree.txt");
  for (std::string line; std::getline(in, line);)
    expected.push_back(line);
  REQUIRE(expected.size() > 10);
  CHECK(tree_of(w.root()) == expected);
}

TEST_CASE("huggingface_hub reads the cache that we write, without a request") {
  auto python = peer();
  if (python.empty()) return;
  hub_world w;
  w.check_whole(w.fetch());
  auto before = w.hub.calls().size();
  CHECK(run_script(
      w, python,
      "import huggingface_hub as h, os\n"
      "for revision in (None, 'main', '" +
          w.commit +
          "'):\n"
          "    folder = h.snapshot_download('org/sql', revision=revision, local_files_only=True)\n"
          "    assert sorted(os.listdir(folder)) == ['adapter_config.json', 'adapter_model.safetensors']\n"
          "    for name in os.listdir(folder):\n"
          "        path = h.hf_hub_download('org/sql', name, revision=revision)\n"
          "        assert os.path.samefile(path, os.path.join(folder, name))\n"
          "repo, = h.scan_cache_dir().repos\n"
          "assert repo.repo_id == 'org/sql' and repo.refs.keys() == {'main'}, repo\n"
          "assert not h.scan_cache_dir().warnings\n",
      true));
  CHECK(w.hub.calls().size() == before);
}

TEST_CASE("huggingface_hub completes the snapshot that we began, and fetches none of our files again") {
  auto python = peer();
  if (python.empty()) return;
  hub_world w;
  w.check_whole(w.fetch());
  auto before = w.hub.count("/lfs/");
  CHECK(run_script(w, python,
                   "import huggingface_hub as h, os\n"
                   "folder = h.snapshot_download('org/sql')\n"
                   "assert len(os.listdir(folder)) == 4, os.listdir(folder)\n",
                   false));
  CHECK(w.hub.count("/lfs/") == before + 1);  // optimizer.pt
  w.check_whole(w.fetch());
}

TEST_CASE("what huggingface_hub fetched is used without a request") {
  auto python = peer();
  if (python.empty()) return;
  hub_world w;
  CHECK(run_script(w, python, "import huggingface_hub as h\nh.snapshot_download('org/sql')\n", false));
  auto before = w.hub.calls().size();
  w.check_whole(w.fetch({{w.id, "main"}, true, nullptr, {}}));
  w.options.offline = true;
  w.check_whole(w.fetch());
  w.options.offline = false;
  auto by_commit = w.fetch({{w.id, w.commit}, false, nullptr, {}});
  REQUIRE(by_commit);
  CHECK((w.read(by_commit->directory + "/adapter_model.safetensors") == w.weights));
  CHECK(w.hub.calls().size() == before);
  // Asked whether `main` moved, the Hub is asked that and nothing more.
  w.check_whole(w.fetch());
  CHECK(w.hub.calls().size() == before + 1);
}
