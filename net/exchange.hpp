#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "net/reply_channel.hpp"

namespace lorica {

/// What an answer tells its connection.
struct whole_reply {
  http_reply reply;
};
struct stream_expected {
  http_reply head;
};
struct stream_head {
  http_reply head;
};
struct stream_event {
  std::string text;
};
struct stream_end {};
struct stream_refusal {
  http_reply reply;
  std::vector<std::string> events;
};
struct stream_break {};
using reply_message = std::variant<whole_reply, stream_expected, stream_head, stream_event, stream_end,
                                   stream_refusal, stream_break>;

/// The `reply_channel` of one request: carries messages from any thread to the connection's strand and counts
/// the bytes that wait there. Shared by the connection and the sink; outlives either.
class exchange final : public reply_channel {
 public:
  /// Hands a message to the strand; called under this object's lock, so it only posts.
  using carrier = std::function<void(reply_message)>;

  exchange(carrier to_strand, std::size_t output_limit);

  void attach(std::shared_ptr<generation_handle> running) override;
  void expect_stream(http_reply head) override;
  void reply(http_reply answer) override;
  bool begin_stream(http_reply head) override;
  void send(std::string event) override;
  void refuse_stream(http_reply answer, std::vector<std::string> last_events) override;
  void end_stream() override;
  void break_stream() override;
  bool saturated() const noexcept override;

  /// The connection is about to send the expected head by itself. False when `begin_stream` came first: its
  /// head is on its way.
  bool claim_head();

  /// The connection wrote bytes of events: a full stream that has drained to half its bound goes on.
  void written(std::size_t bytes);

  /// True from the moment the bound is reached until the stream has drained to half of it.
  bool is_full();

  /// The answer is written to its end: nothing is carried any more.
  void close();

  /// The client has left: the generation is cancelled and nothing is carried any more. True if the answer was
  /// not complete.
  bool abandon();

 private:
  void carry(reply_message message);
  void carry_last(reply_message message);
  void break_off();

  const std::size_t output_limit_;
  std::atomic<std::size_t> unsent_{0};
  std::mutex changing_;  // guards what follows: sinks and strand meet here, for the time of a post
  carrier to_strand_;    // empty once closed
  std::shared_ptr<generation_handle> running_;
  bool headed_ = false;    // it is decided which head a stream gets
  bool complete_ = false;  // the last message was carried
  bool abandoned_ = false;
  bool full_ = false;  // the bound was reached and the generation has not been resumed since
};

}  // namespace lorica
