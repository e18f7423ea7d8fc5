#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/response_sink.hpp"

namespace lorica::test {

/// Keeps what it is told and notes every call against the order that the interface promises.
class collecting_sink final : public response_sink {
  template <class F>
  auto read(F what) {
    std::lock_guard lock(mutex_);
    return what();
  }

 public:
  struct choice {
    std::string text;
    std::vector<generated_token> tokens;
    std::optional<generation_finish> end;
  };

  void started(generation_started facts) override {
    std::lock_guard lock(mutex_);
    if (facts_ || over()) ++misorders_;
    facts_ = std::move(facts);
    changed_.notify_all();
  }
  void chunk(generation_chunk tokens) override {
    std::lock_guard lock(mutex_);
    auto& c = choices_[tokens.choice];
    if (!facts_ || over() || c.end || tokens.tokens.empty()) ++misorders_;
    for (auto& token : tokens.tokens) {
      c.text += token.text;
      c.tokens.push_back(token);
      ++count_;
    }
    changed_.notify_all();
  }
  void finished(generation_finish end) override {
    std::lock_guard lock(mutex_);
    auto& c = choices_[end.choice];
    if (!facts_ || over() || c.end) ++misorders_;
    c.end = std::move(end);
  }
  void done(generation_timings timings) override {
    std::lock_guard lock(mutex_);
    if (!facts_ || over()) ++misorders_;
    for (auto& [index, c] : choices_)
      if (!c.end) ++misorders_;
    timings_ = timings;
    changed_.notify_all();
  }
  void failed(error why) override {
    std::lock_guard lock(mutex_);
    if (over()) ++misorders_;
    error_ = std::move(why);
    changed_.notify_all();
  }
  bool saturated() const noexcept override { return full; }

  /// Waits for the outcome; false after ten seconds without one.
  bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [this] { return over(); });
  }
  /// Waits for that many tokens or the outcome.
  bool wait_tokens(std::size_t n) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [this, n] { return count_ >= n || over(); });
  }

  // To be read once it is over, or between events of a test that drives them.
  bool is_done() {
    return read([this] { return timings_.has_value(); });
  }
  std::optional<error> why() {
    return read([this] { return error_; });
  }
  std::optional<generation_started> facts() {
    return read([this] { return facts_; });
  }
  std::optional<generation_timings> timings() {
    return read([this] { return timings_; });
  }
  choice at(std::uint32_t index) {
    return read([this, index] { return choices_[index]; });
  }
  std::size_t tokens() {
    return read([this] { return count_; });
  }
  int misorders() {
    return read([this] { return misorders_; });
  }

  std::atomic<bool> full{false};

 private:
  bool over() const { return timings_ || error_; }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<generation_started> facts_;
  std::map<std::uint32_t, choice> choices_;
  std::optional<generation_timings> timings_;
  std::optional<error> error_;
  std::size_t count_ = 0;
  int misorders_ = 0;
};

}  // namespace lorica::test
