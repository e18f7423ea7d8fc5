#pragma once

#include <cstdint>
#include <functional>

#include "core/adapter_service.hpp"
#include "core/clock.hpp"
#include "core/generation_service.hpp"
#include "core/server_info.hpp"
#include "core/status_snapshot.hpp"
#include "core/tokenize_service.hpp"
#include "net/admission.hpp"
#include "net/event_feed.hpp"
#include "net/http_series.hpp"

namespace lorica {

/// What the routes work with. Owned by the server, shared by all io threads; the parts are thread-safe.
struct api_context {
  generation_service& generations;
  tokenize_service& tokens;
  const status_service& status;
  adapter_service* adapters;  ///< null where adapters cannot be changed
  event_feeds& feeds;
  const server_info info;
  admission& gate;
  http_series& series;
  const clock_source& clock;
  std::function<std::int64_t()> unix_seconds;  ///< wall clock for `created`
  std::function<std::uint64_t()> draw;         ///< random bits for seeds and ids
};

}  // namespace lorica
