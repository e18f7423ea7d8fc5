#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/value.hpp"
#include "net/http_client.hpp"

namespace lorica::admin {

/// The server's routes over one connection: answers as values, refusals as errors. Owned and used by one
/// thread.
///
/// Fails as `http_client` does, and by the status of the reply: `errc::unauthorized`, `forbidden`,
/// `unknown_adapter` (404), `conflict`, else `invalid` with the server's words and its `error_type` as
/// reason.
class server_link {
 public:
  static result<server_link> open(http_client_options options);

  /// The JSON of a 2xx reply; null when it has no body.
  result<value> ask(std::string_view method, std::string target, std::string body = {},
                    const std::stop_token& stop = {});
  result<value> get(std::string target, const std::stop_token& stop = {});

  /// The body of a 2xx reply as it is.
  result<std::string> text(std::string target, const std::stop_token& stop = {});

  /// Every adapter, all pages of the listing; `query` is empty or `state=…`.
  result<value::array> adapters(std::string_view query = "", const std::stop_token& stop = {});

  /// The `data:` of every event of a stream, until it ends or `take` has enough; `begun` is called when the
  /// server has taken the request.
  result<client_reply> follow(const client_request& request,
                              const std::function<stream_wish(const value&)>& take,
                              const std::stop_token& stop = {}, const std::function<void()>& begun = {});

  /// `host:port`, for texts.
  const std::string& place() const noexcept { return http_.place(); }

 private:
  explicit server_link(http_client http) : http_(std::move(http)) {}

  http_client http_;
};

/// `/v1/adapters/NAME` with what follows it.
std::string adapter_target(std::string_view name, std::string_view rest = "");

/// What a reply other than 2xx says. Bodies that are not the server's become a text of ours.
error refusal_in(const client_reply& reply, const std::string& place);

}  // namespace lorica::admin
