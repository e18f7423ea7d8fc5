#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "core/response_sink.hpp"
#include "net/admission.hpp"
#include "net/collected.hpp"
#include "net/http_error.hpp"
#include "net/reply_channel.hpp"

namespace lorica {

/// The sink of a request that is answered in one piece: gathers everything and replies at the end.
class collected_reply final : public response_sink {
 public:
  using format = std::function<http_reply(const collected&)>;

  /// `write` turns the whole into a reply; `style` is for errors.
  collected_reply(std::shared_ptr<reply_channel> channel, admission::permit place, std::uint32_t choices,
                  api_style style, format write);

  void started(generation_started facts) override;
  void chunk(generation_chunk tokens) override;
  void finished(generation_finish end) override;
  void done(generation_timings timings) override;
  void failed(error why) override;
  bool saturated() const noexcept override { return false; }

 private:
  std::shared_ptr<reply_channel> channel_;
  admission::permit place_;
  api_style style_;
  format write_;
  collected all_;
};

}  // namespace lorica
