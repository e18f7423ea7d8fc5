#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
const std::string adapters_of_model = LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa";

/// How often: a number for every run of the tests, a tenth of it under a sanitizer, a larger one for the long
/// run (`make soak`).
int times(int always, int soak) {
  if (std::getenv("LORICA_SOAK")) return soak;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return always / 10;
#else
  return always;
#endif
}

std::vector<std::string> sources() {
  std::vector<std::string> out;
  for (auto& entry : fs::directory_iterator(adapters_of_model))
    out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

/// What one name gave: version and text, or a status.
struct answer {
  int status = 0;
  std::string version;
  std::string text;

  auto operator<=>(const answer&) const = default;
};

answer ask(const server_process& server, const std::string& name) {
  auto body = R"({"inputs":"abc","parameters":{"max_new_tokens":4,"adapter_id":")" + name + "\"}}";
  auto reply = exchange(server.port(), "POST", "/generate", body);
  return {reply.status, reply.headers["x-adapter-version"], reply.status == 200 ? reply.body : ""};
}

std::string load_line(const std::string& source) {
  return R"({"source":")" + source + "\"}";
}

int load(const server_process& server, const std::string& name, const std::string& source) {
  return exchange(server.port(), "PUT", "/v1/adapters/" + name + "?wait=true", load_line(source)).status;
}

int unload(const server_process& server, const std::string& name) {
  return exchange(server.port(), "DELETE", "/v1/adapters/" + name + "?wait=true").status;
}

const std::vector<std::string> names{"a", "b", "c", "d", "e", "f"};

/// One random change that must succeed.
void change(const server_process& server, const std::vector<std::string>& all, std::mt19937& random) {
  auto& name = names[random() % names.size()];
  auto status = random() % 3 == 0 ? unload(server, name) : load(server, name, all[random() % all.size()]);
  if (status != 200 && status != 404) FAIL("a change of " << name << " was answered with " << status);
}

}  // namespace

TEST_CASE(
    "while adapters come, change and go, every reply is that of the version it names, and all is given "
    "back") {
  scratch_directory scratch;
  auto all = sources();
  server_process server({"--model-id", tiny_model, "--dtype", "float32", "--threads", "1", "--adapter-root",
                         adapters_of_model, "--dynamic-adapters", "off", "--data-dir",
                         (scratch.path() / "data").string()});
  std::map<std::string, std::string> text_of;  // version -> text
  for (auto& source : all) {
    REQUIRE(load(server, "truth", source) == 200);
    auto said = ask(server, "truth");
    REQUIRE(said.status == 200);
    text_of[said.version] = said.text;
  }
  auto empty = [&] {
    unload(server, "truth");
    for (auto& name : names)
      unload(server, name);
    return eventually([&] { return server.metric("lorica_adapter_bytes") == 0.0; });
  };
  std::mt19937 random(20261124);
  for (int i = 0; i < 200; ++i)
    change(server, all, random);
  REQUIRE(empty());
  auto descriptors = server.descriptors();
  [[maybe_unused]] auto memory = server.memory();

  std::atomic<bool> over = false;
  std::atomic<int> asked = 0;
  std::atomic<int> served = 0;
  std::mutex mutex;
  std::set<answer> wrong;
  std::set<std::string> versions;
  std::vector<std::jthread> clients;
  for (unsigned i = 0; i < 4; ++i)
    clients.emplace_back([&, i] {
      std::mt19937 dice(i);
      while (!over) {
        auto said = ask(server, names[dice() % names.size()]);
        ++asked;
        std::lock_guard lock(mutex);
        if (said.status == 200) {
          ++served;
          versions.insert(said.version);
          auto truth = text_of.find(said.version);
          if (truth == text_of.end() || truth->second != said.text) wrong.insert(said);
        } else if (said.status != 404) {
          wrong.insert(said);
        }
      }
    });
  const int changes = times(2'000, 10'000);
  for (int i = 0; i < changes; ++i)
    change(server, all, random);
  over = true;
  clients.clear();
  for (auto& said : wrong)
    UNSCOPED_INFO("status " << said.status << ", version " << said.version << ": " << said.text);
  CHECK(wrong.empty());
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  CHECK(served > 0);  // a tenth of the changes
#else
  CHECK(served > 100);
  CHECK(versions.size() == text_of.size());
#endif
  CHECK(empty());
  CHECK(eventually([&] { return server.descriptors() <= descriptors; }));
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  CAPTURE(memory, asked.load());
  CHECK(server.memory() <= memory + (std::uint64_t{8} << 20));
#endif
  CHECK(server.stop().empty());
}

TEST_CASE("killed at any moment, the server comes back with exactly the acknowledged catalogue") {
  scratch_directory scratch;
  std::mt19937 random(20261124);
  auto all = sources();
  std::map<std::string, answer> truth;     // source -> answer
  std::map<std::string, answer> expected;  // name -> answer; absent: unloaded
  struct open_change {
    std::string name;
    std::optional<answer> wanted;  // absent: an unload
  };
  std::optional<open_change> open;  // that was not acknowledged: done or not
  for (int life = 0, lives = times(30, 1'000); life < lives; ++life) {
    INFO("life " << life);
    server_process server({"--model-id", tiny_model, "--dtype", "float32", "--threads", "1", "--adapter-root",
                           adapters_of_model, "--data-dir", (scratch.path() / "data").string()});
    if (truth.empty())
      for (auto& source : all)
        truth[source] = ask(server, source);
    for (auto& name : names) {
      auto said = ask(server, name);
      if (open && open->name == name) {
        bool undone = expected.contains(name) ? said == expected[name] : said.status == 404;
        bool done = open->wanted ? said == *open->wanted : said.status == 404;
        CHECK((undone || done));
        if (said.status == 404)
          expected.erase(name);
        else
          expected[name] = said;
      } else if (expected.contains(name)) {
        CHECK(said == expected[name]);
      } else {
        CHECK(said.status == 404);
      }
    }
    auto next = [&]() -> open_change {
      auto& name = names[random() % names.size()];
      if (random() % 4 == 0) return {name, std::nullopt};
      return {name, truth.at(all[random() % all.size()])};
    };
    auto source_of = [&](const answer& wanted) {
      return std::ranges::find(truth, wanted, [](auto& entry) { return entry.second; })->first;
    };
    for (auto changes = random() % 5; changes > 0; --changes) {
      auto [name, wanted] = next();
      auto status = wanted ? load(server, name, source_of(*wanted)) : unload(server, name);
      CHECK((status == 200 || (status == 404 && !wanted && !expected.contains(name))));
      if (wanted)
        expected[name] = *wanted;
      else
        expected.erase(name);
    }
    // The last one is on its way when the end comes, at any point of it.
    open = next();
    http_connection last(server.port());
    auto path = "/v1/adapters/" + open->name + "?wait=true";
    if (open->wanted)
      last.request("PUT", path, load_line(source_of(*open->wanted)));
    else
      last.request("DELETE", path);
    auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(random() % 6'000);
    while (std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    server.signal(SIGKILL);
    server.wait();
  }
}
