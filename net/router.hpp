#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "net/http_error.hpp"

namespace lorica {

/// What can be asked for.
enum class route_id : std::uint8_t {
  root_health,
  root_generate,
  health,
  ping,
  generate,
  generate_stream,
  completions,
  chat,
  invocations,
  vertex,
  tokenize,
  chat_tokenize,
  info,
  metrics,
  openapi,
  api_doc,
  docs,
  docs_file,
  models,
  model,
  vllm_load,
  vllm_unload,
  adapters,
  declare_adapters,
  adapter_events,
  adapter,
  put_adapter,
  delete_adapter,
  pin_adapter,
  unpin_adapter,
  pause_adapter,
  resume_adapter,
  prefetch_adapter,
  evict_adapter,
  adapter_jobs,
  adapter_job,
  cancel_adapter_job,
};

/// Who may ask: everybody, who has the key of the API, or who may change adapters.
enum class route_access : std::uint8_t { open, key, admin };

/// One line of the table.
struct route {
  route_id id;
  std::string_view method;
  std::string_view path;  ///< `{…}` stands for a name: all of the path that is not before or behind it
  api_style style;
  route_access access;
};

/// A route that was found, with the decoded name in its path.
struct route_match {
  const route* where = nullptr;
  std::string name;
};

/// All routes. Where two fit a path, the first one answers.
std::span<const route> all_routes() noexcept;

/// Finds the route of a request; HEAD counts as GET. Otherwise `errc::unknown_route`, `errc::wrong_method`
/// (see `allowed_methods`) or `errc::malformed` for a target that cannot be read.
result<route_match> find_route(std::string_view method, std::string_view path);

/// Methods of a path for `Allow`, like `GET, HEAD, OPTIONS`; empty when there is no such path.
std::string allowed_methods(std::string_view path);

/// The style of answers to a path, also of one that does not exist.
api_style style_of(std::string_view path) noexcept;

/// `text` with %XX decoded once; nothing when an escape is broken or stands for NUL.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace lorica
