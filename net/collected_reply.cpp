#include "net/collected_reply.hpp"

#include <utility>

namespace lorica {

collected_reply::collected_reply(std::shared_ptr<reply_channel> channel, admission::permit place,
                                 std::uint32_t choices, api_style style, format write)
    : channel_(std::move(channel)),
      place_(std::move(place)),
      style_(style),
      write_(std::move(write)),
      all_(choices) {}

void collected_reply::started(generation_started facts) {
  all_.facts = std::move(facts);
}

void collected_reply::chunk(generation_chunk tokens) {
  all_.add(std::move(tokens));
}

void collected_reply::finished(generation_finish end) {
  all_.add(std::move(end));
}

void collected_reply::done(generation_timings timings) {
  all_.timings = timings;
  // The place is free before the client can know that its request has ended.
  place_.release();
  channel_->reply(write_(all_));
}

void collected_reply::failed(error why) {
  place_.release();
  channel_->reply(error_reply(style_, why));
}

}  // namespace lorica
