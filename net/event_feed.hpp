#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/adapter_service.hpp"
#include "core/generation_service.hpp"
#include "net/adapter_reply.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// A stream of adapter events to one client. A client that reads slower than things happen loses events; the
/// next one that it gets says how many. Lives as long as its answer; thread-safe. As the handle of its answer
/// it hears when the client has left or reads again.
class event_feed final : public generation_handle {
 public:
  event_feed(std::shared_ptr<reply_channel> channel, audience reader)
      : channel_(std::move(channel)), reader_(reader) {}

  /// Keeps the subscription until the feed ends.
  void hold(std::shared_ptr<adapter_watch> watch);

  /// Sends the head, then what was told before. Nothing is sent earlier.
  void begin();

  /// An event happened. Never waits.
  void tell(const adapter_event& event);

  /// The clean end of the stream.
  void end();

  void cancel() noexcept override;
  void resume() noexcept override;

 private:
  /// One event as JSON, unless the client reads too slowly.
  void send(const std::string& json);
  void tell_missed();
  std::shared_ptr<adapter_watch> finish();

  std::shared_ptr<reply_channel> channel_;
  const audience reader_;
  std::mutex changing_;  // guards what follows: the teller, the strand and the end meet here
  std::shared_ptr<adapter_watch> watch_;
  std::vector<std::string> early_;  ///< told before `begin`
  std::uint64_t missed_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

/// The feeds of a server, up to a limit. Owned by the server; thread-safe.
class event_feeds {
 public:
  static constexpr std::size_t limit = 16;

  /// False at the limit and after `end_all`.
  bool add(const std::shared_ptr<event_feed>& feed);

  /// Ends every stream, and none begins any more.
  void end_all() noexcept;

 private:
  std::mutex changing_;  // guards what follows
  std::vector<std::weak_ptr<event_feed>> all_;
  bool closed_ = false;
};

}  // namespace lorica
