#pragma once

#include <fmt/core.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "actors/runtime.hpp"
#include "core/clock.hpp"
#include "core/metrics.hpp"
#include "tests/actors/collecting_sink.hpp"
#include "tests/actors/fake_executor.hpp"
#include "tests/actors/fake_tokenizer.hpp"
#include "tests/catch.hpp"

namespace lorica::test {

/// A word and a number: prompts that differ.
inline std::string numbered(const char* word, int n) {
  return fmt::format("{}{}", word, n);
}

/// True as soon as `condition` holds; false when it does not within ten seconds.
inline bool eventually(const std::function<bool()>& condition) {
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::yield();
  }
  return condition();
}

/// Adapters to load at start, as name, fake directory and what keeps it from being read.
struct listed {
  std::string name;
  std::string directory;
  std::optional<error> missing = {};
};

class adapter_list {
 public:
  adapter_list(std::initializer_list<listed> all) {
    for (auto& one : all)
      add(one);
  }
  void add(const listed& one) {
    auto& added = all_.emplace_back();
    added.name = one.name;
    added.source = one.directory;
    added.origin = {adapter_origin::kind::path, one.directory};
    added.missing = one.missing;
  }
  operator std::vector<startup_adapter>() const { return all_; }

 private:
  std::vector<startup_adapter> all_;
};

/// The whole runtime over fakes: eight slots, 64 blocks of 4 tokens, adapters named `sql`, `chat`, … of 100
/// bytes.
struct fake_world {
  explicit fake_world(std::vector<startup_adapter> adapters = {},
                      std::function<void(runtime_options&)> change = {},
                      executor_limits limits = default_limits(),
                      std::shared_ptr<const tokenizer> vocabulary = std::make_shared<fake_tokenizer>(),
                      std::shared_ptr<const chat_format> chat = nullptr) {
    auto owned = std::make_unique<fake_executor>(limits);
    engine = owned.get();
    runtime_options options;
    options.model_id = "fake-base";
    options.adapters = std::move(adapters);
    options.on_fatal = [this](const std::string&) { ++fatals; };
    if (change) change(options);
    model.max_positions = 128;
    model.eos = {fake_tokenizer::eos_id};
    runtime_parts parts{std::move(owned), std::move(vocabulary), model, counters, clock, read_origin};
    parts.chat = std::move(chat);
    auto started = start_runtime(std::move(options), std::move(parts));
    REQUIRE(started.has_value());
    live = std::move(*started);
  }

  static executor_limits default_limits() {
    executor_limits out;
    out.block_tokens = 4;
    out.blocks = 64;
    out.max_sequences = 8;
    out.max_rows = 32;
    out.max_positions = 128;
    return out;
  }

  static generation_request ask(std::string prompt, std::string adapter = {}, std::uint32_t max_new = 20) {
    generation_request out;
    out.prompts = {std::move(prompt)};
    if (!adapter.empty()) out.adapters = {{std::move(adapter)}};
    out.max_new_tokens = max_new;
    return out;
  }

  std::pair<std::shared_ptr<collecting_sink>, std::shared_ptr<generation_handle>> start(
      generation_request r) {
    auto sink = std::make_shared<collecting_sink>();
    auto handle = live->generations().start(std::move(r), sink);
    return {sink, handle};
  }

  std::shared_ptr<const status_snapshot> status() { return live->status().snapshot(); }

  /// Everything that was taken is given back.
  bool at_rest() {
    return eventually([this] {
      auto s = status();
      return s->sessions == 0 && s->running_sequences == 0 && s->waiting_sequences == 0 &&
             s->kv_blocks_used == 0 && s->leases == 0;
    });
  }

  metrics counters;
  steady_clock_source clock;
  model_config model;
  fake_executor* engine = nullptr;
  std::atomic<int> fatals{0};
  std::unique_ptr<runtime> live;
};

}  // namespace lorica::test
