#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/response_sink.hpp"
#include "net/admission.hpp"
#include "net/event_format.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// The sink of a streamed answer: server-sent events, one write each. Status and head go out at `started`,
/// or without what is known then when that takes too long; the last event makes up for it. A failure before
/// is a plain error reply, a later one is an event and the clean end. A sink that is let go without an end
/// breaks its stream.
class sse_stream final : public response_sink {
 public:
  /// `known` belongs to the head, early or not.
  sse_stream(std::shared_ptr<reply_channel> channel, admission::permit place,
             std::unique_ptr<event_format> format, std::vector<http_field> known = {});
  ~sse_stream() override;

  void started(generation_started facts) override;
  void chunk(generation_chunk tokens) override;
  void finished(generation_finish end) override;
  void done(generation_timings timings) override;
  void failed(error why) override;
  bool saturated() const noexcept override { return channel_->saturated(); }

 private:
  http_reply head() const;
  void send(const event_format::events& events);

  std::shared_ptr<reply_channel> channel_;
  admission::permit place_;
  std::unique_ptr<event_format> format_;
  std::vector<http_field> known_;
  bool begun_ = false;
  bool ended_ = false;
};

/// `json` as an event: `data: `, the text, a blank line.
std::string as_event(std::string_view json);

/// Media type and fields of every event stream.
http_reply event_stream_head();

}  // namespace lorica
