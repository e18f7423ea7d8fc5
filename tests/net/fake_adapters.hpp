#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/adapter_service.hpp"

namespace lorica::testing {

/// What a route asked of the service.
struct adapter_call {
  std::string what;  ///< `load`, `preview`, `unload`, `alias`, `act`, `show`, `show_job`, `cancel_job`, …
  std::string name = {};  ///< of adapter or job
  adapter_load load = {};
  adapter_unload unload = {};
  answer_when when = answer_when::accepted;
  std::string target = {};
  adapter_action action = adapter_action::pin;
  std::vector<adapter_load> wanted = {};
  declare_mode mode = declare_mode::apply;
};

/// Answers as the test says, at once or when the test lets go of what it held. Thread-safe but for the fields
/// that a test sets before its first request.
class fake_adapters final : public adapter_service {
 public:
  void load(adapter_load what, answer_when when, answer<adapter_job> done) override;
  void preview(adapter_load what, answer<adapter_preview> done) override;
  void unload(adapter_unload what, answer_when when, answer<adapter_job> done) override;
  void set_alias(std::string alias, std::string target, answer<adapter_status> done) override;
  void act(std::string name, adapter_action what, answer<adapter_status> done) override;
  void show(std::string name, answer<adapter_detail> done) override;
  void show_job(std::string id, answer<adapter_job> done) override;
  void cancel_job(std::string id, answer<adapter_job> done) override;
  void list_jobs(answer<std::vector<adapter_job>> done) override;
  void declare(std::vector<adapter_load> wanted, declare_mode mode,
               answer<std::vector<adapter_change>> done) override;
  std::shared_ptr<adapter_watch> watch(std::function<void(const adapter_event&)> tell) override;

  /// Tells every watcher.
  void emit(const adapter_event& event);

  std::size_t watchers();
  bool wait_watchers(std::size_t count);

  /// The latest call; `what` is empty when there was none.
  adapter_call last();
  std::size_t calls();
  bool wait_calls(std::size_t count);

  /// Gives the answers that were held.
  void let_go();

  std::optional<error> failure;  ///< every answer, when set
  adapter_job job;               ///< else what jobs look like
  adapter_status status;
  adapter_detail detail;
  adapter_preview shown_preview;
  std::vector<adapter_change> changes;
  bool hold_answers = false;
  std::size_t most_watchers = 100;
  std::optional<adapter_event> first_event;  ///< told within `watch`

 private:
  class one_watch;

  template <class T>
  void give(adapter_call call, answer<T> done, T what);
  void forget(one_watch* which);

  std::mutex changing_;
  std::condition_variable changed_;
  std::vector<adapter_call> calls_;
  std::vector<std::function<void()>> held_;
  std::vector<one_watch*> watches_;
};

/// A version whose digest begins with 0xab.
adapter_version version_ab();

}  // namespace lorica::testing
