#include "net/sse_stream.hpp"

namespace lorica {

std::string as_event(std::string_view json) {
  std::string out;
  out.reserve(json.size() + 8);
  return out.append("data: ").append(json).append("\n\n");
}

http_reply event_stream_head() {
  http_reply head;
  head.content_type = "text/event-stream";
  head.fields = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
  return head;
}

sse_stream::sse_stream(std::shared_ptr<reply_channel> channel, admission::permit place,
                       std::unique_ptr<event_format> format, std::vector<http_field> known)
    : channel_(std::move(channel)),
      place_(std::move(place)),
      format_(std::move(format)),
      known_(std::move(known)) {
  channel_->expect_stream(head());
}

sse_stream::~sse_stream() {
  if (!ended_) channel_->break_stream();
}

void sse_stream::started(generation_started facts) {
  auto all = head();
  auto facts_fields = format_->fields(facts);
  all.fields.insert(all.fields.begin(), facts_fields.begin(), facts_fields.end());
  begun_ = true;
  if (!channel_->begin_stream(std::move(all))) format_->name_at_end(facts.served);
}

void sse_stream::chunk(generation_chunk tokens) {
  send(format_->chunk(tokens));
}
void sse_stream::finished(generation_finish end) {
  send(format_->finished(end));
}

void sse_stream::done(generation_timings) {
  ended_ = true;
  auto last = format_->done();
  place_.release();
  send(last);
  channel_->end_stream();
}

void sse_stream::failed(error why) {
  ended_ = true;
  place_.release();
  if (!begun_) {
    std::vector<std::string> events;
    for (auto& json : format_->failed(why))
      events.push_back(as_event(json));
    return channel_->refuse_stream(format_->refused(why), std::move(events));
  }
  send(format_->failed(why));
  channel_->end_stream();
}

http_reply sse_stream::head() const {
  auto out = event_stream_head();
  out.fields.insert(out.fields.end(), known_.begin(), known_.end());
  return out;
}

void sse_stream::send(const event_format::events& events) {
  for (auto& json : events)
    channel_->send(as_event(json));
}

}  // namespace lorica
