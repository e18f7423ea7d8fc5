#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/generation_service.hpp"
#include "core/metrics.hpp"
#include "core/status_snapshot.hpp"
#include "core/tokenize_service.hpp"
#include "net/server.hpp"
#include "tests/net/fake_adapters.hpp"

namespace lorica::testing {

using namespace std::chrono_literals;

/// What a played generation can see and wait for. Every wait ends after ten seconds.
class fake_run final : public generation_handle {
 public:
  fake_run(generation_request r, std::shared_ptr<response_sink> s)
      : request(std::move(r)), sink(std::move(s)) {}

  void cancel() noexcept override;
  void resume() noexcept override;

  bool cancelled() const;
  bool wait_cancelled();

  /// Waits for a resume or the cancel that came after the last call.
  bool wait_resumed();

  /// Announces, sends tokens with these texts as one chunk each, finishes. The text ends with the last token.
  void play(const std::vector<std::string>& texts, finish_reason reason = finish_reason::length);
  void start();
  void token(const std::string& text, bool last = false);

  const generation_request request;
  std::shared_ptr<response_sink> sink;

 private:
  mutable std::mutex changing_;
  std::condition_variable changed_;
  bool cancelled_ = false;
  bool resumed_ = false;
  int next_id_ = 1;
};

/// Plays each request on a thread of its own, by the script of the test. Joins them at its end, so it must
/// outlive the server.
class fake_generations final : public generation_service {
 public:
  using script = std::function<void(fake_run&)>;

  explicit fake_generations(script play) : play_(std::move(play)) {}
  ~fake_generations() override;

  std::shared_ptr<generation_handle> start(generation_request request,
                                           std::shared_ptr<response_sink> sink) override;

  /// Waits until `count` requests have been started, or have come to the end of their script.
  bool wait_started(std::size_t count);
  bool wait_ended(std::size_t count);

  /// Requests that were cancelled.
  bool wait_cancelled(std::size_t count, std::chrono::milliseconds limit = 10s);

  /// Sinks that somebody still holds.
  std::size_t live_sinks();

  generation_request last_request();

 private:
  script play_;
  std::mutex changing_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
  std::vector<std::weak_ptr<response_sink>> sinks_;
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  std::size_t cancelled_ = 0;
  generation_request last_;
};

/// One token for each byte; a conversation is what its messages say.
class fake_tokens final : public tokenize_service {
 public:
  void tokenize(std::string text, bool add_special_tokens, answer<std::vector<token_span>> done) override;
  void tokenize_chat(conversation_ptr what, answer<tokenized_chat> done) override;
};

class fake_status final : public status_service {
 public:
  fake_status() { now.ready = true; }
  std::shared_ptr<const status_snapshot> snapshot() const override {
    return std::make_shared<status_snapshot>(now);
  }
  std::string metrics_text() const override { return "lorica_sessions 0\n"; }

  status_snapshot now;
};

server_info test_info();

/// A server on a free port with fakes behind it. The second one plays no generations.
struct test_server {
  explicit test_server(fake_generations::script play, server_options options = {},
                       server_info info = test_info());
  explicit test_server(server_options options = {});

  std::uint16_t port() const { return front.port(); }

  /// Waits until no connection, request, permit or sink is left.
  bool wait_quiet();
  double metric(const std::string& line_start) const;

  metrics counters;
  fake_status status;
  fake_tokens tokens;
  fake_generations generations;
  fake_adapters adapters;
  server front;
};

/// Polls a condition that no event tells, at most ten seconds.
bool eventually(const std::function<bool()>& holds);

/// An adapter `sql` with a known version.
served_by served_by_adapter();

}  // namespace lorica::testing
