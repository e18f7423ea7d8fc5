#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "adapters/hub_client.hpp"
#include "core/clock.hpp"
#include "tests/adapters/adapter_fixture.hpp"
#include "tests/adapters/hub_server.hpp"
#include "tests/catch.hpp"

namespace lorica::testing {

/// A clock that goes on only when a test says so.
class manual_clock final : public clock_source {
 public:
  time_point now() const noexcept override {
    ++looks_;
    return time_point(std::chrono::milliseconds(ms_.load()));
  }
  void advance(std::chrono::milliseconds by) { ms_ += by.count(); }
  /// How often somebody looked.
  std::uint64_t looks() const noexcept { return looks_; }

 private:
  std::atomic<std::int64_t> ms_{1'000'000};
  mutable std::atomic<std::uint64_t> looks_{0};
};

/// A fake Hub with one adapter, `org/sql`, and an empty cache.
struct hub_world {
  const std::string id = "org/sql";
  const std::string config = "{\"peft_type\": \"LORA\"}\n";
  std::string weights;
  const std::string commit = std::string(40, '1');
  const std::string token = "hf_marker_token";
  hub_server hub;
  scratch_directory scratch;
  steady_clock_source real;
  hub_options options;

  hub_world() {
    for (int i = 0; i < 40'000; ++i)
      weights += "lorica " + std::to_string(i) + "\n";
    hub.file(id, "adapter_config.json", config);
    hub.file(id, "adapter_model.safetensors", weights, true);
    hub.file(id, "README.md", "not needed");
    hub.file(id, "optimizer.pt", std::string(1000, 'x'), true);
    hub_values values;
    values.endpoint = hub.url();
    values.token = token;
    auto made = make_hub_options(values, {root(), "$HF_HOME/hub"});
    REQUIRE(made);
    options = *made;
    options.back_off = std::chrono::milliseconds(1);
    options.longest_back_off = std::chrono::milliseconds(1);
  }

  std::string root() const { return scratch.path() + "/hub"; }
  std::string folder() const { return root() + "/models--org--sql"; }

  std::unique_ptr<hub_client> client() { return client(real); }
  std::unique_ptr<hub_client> client(const clock_source& clock) {
    auto made = hub_client::make(options, clock);
    REQUIRE(made);
    return *std::move(made);
  }

  /// Runs until the condition holds; no fetch may end before, and a minute is enough.
  template <class Condition>
  static void until(hub_client& client, Condition holds) {
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      REQUIRE(std::chrono::steady_clock::now() < limit);
      REQUIRE(client.run(std::chrono::milliseconds(10)).empty());
    }
  }

  /// Runs until so many fetches have ended.
  static std::vector<hub_ended> wait(hub_client& client, std::size_t fetches) {
    std::vector<hub_ended> out;
    auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (out.size() < fetches && std::chrono::steady_clock::now() < limit)
      for (auto& ended : client.run(std::chrono::milliseconds(100)))
        out.push_back(std::move(ended));
    REQUIRE(out.size() == fetches);
    return out;
  }
  static hub_ended wait(hub_client& client) { return wait(client, 1).front(); }

  result<hub_snapshot> fetch(hub_fetch wanted) {
    auto c = client();
    REQUIRE(c->start(std::move(wanted)));
    return wait(*c).outcome;
  }
  result<hub_snapshot> fetch() { return fetch({{id, "main"}, false, nullptr, {}}); }

  /// The failure of a fetch, whose text shows nothing that it must not.
  error failed(const result<hub_snapshot>& outcome) const {
    REQUIRE_FALSE(outcome);
    auto& why = outcome.error();
    INFO(why.text);
    CHECK(why.text.find(token) == std::string::npos);
    CHECK(why.text.find("signature") == std::string::npos);
    CHECK(why.text.find("127.0.0.") == std::string::npos);
    CHECK(why.text.find(scratch.path()) == std::string::npos);
    CHECK(why.text.find("curl") == std::string::npos);
    CHECK(why.text.find(id) != std::string::npos);
    return why;
  }

  static std::string read(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }

  /// The cache has the adapter as a whole, under `main`.
  void check_whole(const result<hub_snapshot>& outcome) const {
    if (!outcome) FAIL(outcome.error().text);
    CHECK(outcome->commit == commit);
    CHECK(outcome->directory == std::filesystem::canonical(folder() + "/snapshots/" + commit).string());
    CHECK(read(outcome->directory + "/adapter_config.json") == config);
    CHECK((read(outcome->directory + "/adapter_model.safetensors") == weights));
    CHECK(read(folder() + "/refs/main") == commit);
    for (auto& entry : std::filesystem::directory_iterator(folder() + "/blobs"))
      CHECK_FALSE(entry.path().extension() == ".incomplete");
  }

  std::string weights_blob() const { return folder() + "/blobs/" + hub_server::sha256_of(weights); }
  /// Bytes of the weights that an unfinished fetch left.
  std::string unfinished() const {
    std::error_code problem;
    for (auto& entry : std::filesystem::directory_iterator(folder() + "/blobs", problem))
      if (entry.path().extension() == ".incomplete") return read(entry.path());
    return {};
  }
};

inline bool is_weights(const hub_call& call) {
  return call.target.starts_with("/lfs/");
}

}  // namespace lorica::testing
