#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/generation_service.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// The way back to the client of one request: either one `reply`, or `begin_stream`, any number of `send` and
/// then `end_stream` or `break_stream`; `expect_stream` may come before, and `refuse_stream` in place of the
/// rest. Owned by whoever answers; callable from any thread, never waits. What comes after the client has
/// left, or after the server is gone, is dropped.
class reply_channel {
 public:
  virtual ~reply_channel() = default;

  /// The generation that answers: cancelled when the client leaves, resumed when a full stream has drained.
  /// Let go when the answer is complete.
  virtual void attach(std::shared_ptr<generation_handle> running) = 0;

  /// The answer will be a stream. If nothing comes for long, `head` goes out as it is and keeps the
  /// connection alive; `begin_stream` then tells its caller that it came too late.
  virtual void expect_stream(http_reply head) = 0;

  /// The whole answer.
  virtual void reply(http_reply answer) = 0;

  /// Status and fields of an event stream. False when a head went out before, so that these are lost.
  virtual bool begin_stream(http_reply head) = 0;

  /// One event, with the blank line after it; it leaves in a write of its own.
  virtual void send(std::string event) = 0;

  /// In place of a stream that was announced: `answer`, or `last_events` and the clean end when its head went
  /// out early.
  virtual void refuse_stream(http_reply answer, std::vector<std::string> last_events) = 0;

  /// The clean end.
  virtual void end_stream() = 0;

  /// The connection ends without the body's end, so that the client sees a failure.
  virtual void break_stream() = 0;

  /// True while the bound of unsent bytes is reached.
  virtual bool saturated() const noexcept = 0;
};

}  // namespace lorica
