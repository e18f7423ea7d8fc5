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
#include <semaphore>
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
/// run (`make soak`). Loads take what all other work of the machine leaves, so beside a compiler each of them
/// may last a second: their number is what a run costs.
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

/// Random changes of names, one after the other; each must succeed. Sources take turns.
class changes {
 public:
  changes(const server_process& server, const std::vector<std::string>& sources)
      : server_(server), sources_(sources) {}

  /// A name and the source that it now has; without one it is unloaded.
  std::pair<std::string, std::optional<std::string>> next() {
    auto& name = names[random_() % names.size()];
    std::optional<std::string> source;
    if (random_() % 3 != 0) source = sources_[turn_++ % sources_.size()];
    auto status = source ? load(server_, name, *source) : unload(server_, name);
    if (status != 200 && (source || status != 404))
      FAIL("a change of " << name << " was answered with " << status);
    return {name, source};
  }

 private:
  const server_process& server_;
  const std::vector<std::string>& sources_;
  std::mt19937 random_{20261124};
  std::size_t turn_ = 0;
};

/// Bytes of it when it rests: what a request leaves for the next one was given back.
std::uint64_t memory_at_rest(const server_process& server) {
  auto rests = server.metric("lorica_rests_total");
  CHECK(ask(server, "tgi").status == 200);
  CHECK(eventually([&] { return server.metric("lorica_rests_total") > rests; }));
  return server.memory();
}

/// Clients that ask for names at random, so often with each change: without a rest they would leave the loads
/// nothing.
class crowd {
 public:
  explicit crowd(const server_process& server) {
    for (unsigned i = 0; i < askers; ++i)
      clients_.emplace_back([this, &server, i] {
        std::mt19937 dice(i);
        while (due_.acquire(), !over_) {
          auto said = ask(server, names[dice() % names.size()]);
          std::lock_guard lock(mutex_);
          ++heard_[std::move(said)];
        }
      });
  }

  void ask_again() { due_.release(askers * times_each); }

  /// What was answered, and how often.
  std::map<answer, int> end() {
    over_ = true;
    due_.release(askers);
    clients_.clear();
    return std::move(heard_);
  }

 private:
  static constexpr int askers = 4, times_each = 2;

  std::counting_semaphore<> due_{0};
  std::atomic<bool> over_ = false;
  std::mutex mutex_;  // guards `heard_`
  std::map<answer, int> heard_;
  std::vector<std::jthread> clients_;
};

}  // namespace

TEST_CASE(
    "while adapters come, change and go, every reply is that of the version it names, and all is given "
    "back") {
  scratch_directory scratch;
  auto all = sources();
  server_process server({"--model-id", tiny_model, "--dtype", "float32", "--threads", "1", "--adapter-root",
                         adapters_of_model, "--dynamic-adapters", "off", "--data-dir",
                         (scratch.path() / "data").string()});
  std::map<std::string, answer> truth;  // source -> answer
  std::set<answer> right;
  for (auto& source : all) {
    REQUIRE(load(server, "truth", source) == 200);
    truth[source] = ask(server, "truth");
    REQUIRE(truth[source].status == 200);
    right.insert(truth[source]);
  }
  auto empty = [&] {
    unload(server, "truth");
    for (auto& name : names)
      unload(server, name);
    return eventually([&] { return server.metric("lorica_adapter_bytes") == 0.0; });
  };
  changes made(server, all);
  for (int i = 0; i < 30; ++i)
    made.next();
  REQUIRE(empty());
  auto descriptors = server.descriptors();
  [[maybe_unused]] auto memory = memory_at_rest(server);

  crowd clients(server);
  std::set<std::string> loaded;
  for (int i = 0, count = times(2'000, 10'000); i < count; ++i) {
    clients.ask_again();
    auto [name, source] = made.next();
    auto said = ask(server, name);
    CHECK((source ? said == truth[*source] : said.status == 404));
    if (source) loaded.insert(*source);
  }
  int served = 0;
  for (auto& [said, count] : clients.end()) {
    INFO("status " << said.status << ", version " << said.version << ": " << said.text);
    CHECK((said.status == 404 || right.contains(said)));
    if (said.status == 200) served += count;
  }
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  CHECK(served > 0);  // a tenth of the changes
#else
  CHECK(served > 100);
  CHECK(loaded.size() == all.size());
#endif
  CHECK(empty());
  CHECK(eventually([&] { return server.descriptors() <= descriptors; }));
#ifndef __SANITIZE_ADDRESS__  // which keeps what was freed
  // An adapter takes 40 KiB.
  CHECK(memory_at_rest(server) <= memory + (std::uint64_t{2} << 20));
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
