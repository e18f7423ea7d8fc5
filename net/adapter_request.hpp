#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/adapter_service.hpp"
#include "core/error.hpp"
#include "core/server_info.hpp"
#include "core/value.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// `PUT /v1/adapters/{name}`: a load, or an alias.
struct put_request {
  adapter_load load;
  std::string alias_of;  ///< empty: it is a load
  bool dry_run = false;
  answer_when when = answer_when::accepted;
};

/// `DELETE /v1/adapters/{name}`.
struct delete_request {
  adapter_unload unload;
  answer_when when = answer_when::accepted;
};

/// `PUT /v1/adapters`.
struct declare_request {
  std::vector<adapter_load> wanted;
  declare_mode mode = declare_mode::apply;
};

/// `GET /v1/adapters`.
struct list_request {
  std::optional<std::string> state;
  std::optional<std::string> after;
  std::optional<std::uint32_t> limit;
};

/// Each reads path, query and body as docs/http-api.md says; unknown fields and parameters are refused by
/// name. Fails with `errc::malformed` and `errc::invalid`.
result<put_request> read_put_request(const http_request& request, std::string name, const server_info& info);
result<delete_request> read_delete_request(const http_request& request, std::string name);
result<declare_request> read_declare_request(const http_request& request, const server_info& info);
result<list_request> read_list_request(const http_request& request);

/// Refuses any parameter, and any body but an empty object.
result<void> expect_bare(const http_request& request);

/// `errc::invalid` with the reason `invalid_name` for what no adapter can be called: outside the grammar, or
/// a word for the base. `param` is the field it came in.
result<void> check_new_name(std::string_view name, const server_info& info, std::string_view param);

/// A body that is a JSON object.
result<value> read_object(const http_request& request);

}  // namespace lorica
