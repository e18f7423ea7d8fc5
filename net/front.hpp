#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "net/adapter_reply.hpp"
#include "net/api_context.hpp"
#include "net/date_field.hpp"
#include "net/extra_routes.hpp"
#include "net/request_handler.hpp"
#include "net/rights.hpp"
#include "net/router.hpp"

namespace lorica {

/// Finds who answers a request: rights, route, method and media type are checked on the header, then the
/// route's function gets the whole. Thread-safe; holds no request.
class front final : public request_handler {
 public:
  /// `context` outlives it.
  front(api_context& context, rights who, std::vector<std::string> cors_allow_origin,
        std::uint64_t payload_limit, extra_routes extra = {});

  /// Other rights from now on.
  void replace(rights who);

  std::optional<http_reply> check_head(const http_request& head) override;
  void handle(const http_request& request, std::shared_ptr<reply_channel> channel) override;
  http_reply refuse(const http_request& partial, const protocol_error& why) override;
  bool is_vital(const http_request& head) const override;

  /// The payload limit where a body is posted or put, four times as much where prompts may be token ids, and
  /// a little where a body means nothing.
  std::uint64_t body_limit(const http_request& head) const override;
  void complete(const http_request& request, http_reply& reply) override;
  void ended(const http_request& request, int status, std::chrono::nanoseconds duration) override;
  std::string new_id() override;
  admission::activity begin_activity() override { return context_.gate.begin_activity(); }
  bool closing() const noexcept override { return context_.gate.draining(); }

 private:
  std::string_view path_of(const http_request& request) const noexcept;
  result<route_match> route_of(const http_request& request) const;
  http_reply options(const http_request& head) const;
  audience reader_of(const http_request& request) const;
  bool allows_origin(std::string_view origin) const;

  std::shared_ptr<const rights> current_rights() const;

  api_context& context_;
  mutable std::mutex changing_;  // guards the pointer, for the time of a copy
  std::shared_ptr<const rights> rights_;
  const std::vector<std::string> origins_;
  const std::uint64_t payload_limit_;
  const extra_routes extra_;
  date_field date_;
};

}  // namespace lorica
