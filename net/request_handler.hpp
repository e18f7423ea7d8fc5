#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "net/admission.hpp"
#include "net/http_message.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// An error of the protocol itself, with the status it gets.
struct protocol_error {
  int status = 400;
  error why;
};

/// What a connection asks about its requests. Implemented by `front`; called from all io threads at once.
class request_handler {
 public:
  virtual ~request_handler() = default;

  /// An answer that needs no body: refusals and `OPTIONS`. Called when the header is read, before the body.
  virtual std::optional<http_reply> check_head(const http_request& head) = 0;

  /// Answers a whole request through `channel`, now or later.
  virtual void handle(const http_request& request, std::shared_ptr<reply_channel> channel) = 0;

  /// The answer to bytes that are no request we take. `partial` is what is known of it.
  virtual http_reply refuse(const http_request& partial, const protocol_error& why) = 0;

  /// True for what is answered even when there are too many connections: health and metrics.
  virtual bool is_vital(const http_request& head) const = 0;

  /// Bytes that the body of such a request may have.
  virtual std::uint64_t body_limit(const http_request& head) const = 0;

  /// Adds what every reply has, and to a 429 when to try again.
  virtual void complete(const http_request& request, http_reply& reply) = 0;

  /// Told once for each request whose answer has ended, with the status that was sent; 499 when the client
  /// left before one was.
  virtual void ended(const http_request& request, int status, std::chrono::nanoseconds duration) = 0;

  /// A new request id.
  virtual std::string new_id() = 0;

  /// Counts an answer until it is written.
  virtual admission::activity begin_activity() = 0;

  /// True when connections should end after their answer.
  virtual bool closing() const noexcept = 0;
};

}  // namespace lorica
