#pragma once

#include <string>
#include <vector>

#include "net/adapter_reply.hpp"
#include "net/api_context.hpp"
#include "net/request_handler.hpp"
#include "net/rights.hpp"
#include "net/router.hpp"

namespace lorica {

/// Finds who answers a request: rights, route, method and media type are checked on the header, then the
/// route's function gets the whole. Thread-safe; holds no request.
class front final : public request_handler {
 public:
  /// `context` outlives it.
  front(api_context& context, rights who, std::vector<std::string> cors_allow_origin);

  std::optional<http_reply> check_head(const http_request& head) override;
  void handle(const http_request& request, std::shared_ptr<reply_channel> channel) override;
  http_reply refuse(const http_request& partial, const protocol_error& why) override;
  std::vector<http_field> common_fields(const http_request& request) override;
  void ended(const http_request& request, int status, std::chrono::nanoseconds duration) override;
  std::string new_id() override;
  admission::activity begin_activity() override { return context_.gate.begin_activity(); }
  bool closing() const noexcept override { return context_.gate.draining(); }

 private:
  http_reply options(const http_request& head) const;
  audience reader_of(const http_request& request) const;
  bool allows_origin(std::string_view origin) const;

  api_context& context_;
  rights rights_;
  std::vector<std::string> origins_;
};

}  // namespace lorica
