#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/adapter_service.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// Who reads a reply. Sources of adapters and texts about them are for the administration only.
enum class audience : std::uint8_t { client, administration };

/// `GET /v1/adapters/{name}` and what the actions answer.
http_reply status_reply(const adapter_status& status, audience reader);
http_reply detail_reply(const adapter_detail& detail, audience reader);

/// `GET /v1/adapters`: `shown` in this order; `next` is what `after` must be for the rest.
http_reply status_list_reply(const std::vector<const adapter_status*>& shown,
                             const std::optional<std::string>& next, audience reader);

/// What a load would do.
http_reply preview_reply(std::string_view name, const adapter_preview& preview);

/// A job under `http_status`; 202 comes with its `Location`.
http_reply job_reply(int http_status, const adapter_job& job, audience reader);
http_reply job_list_reply(const std::vector<adapter_job>& jobs, audience reader);

/// The answer to a declared set.
http_reply changes_reply(const std::vector<adapter_change>& changes, bool dry_run);

/// One event of the stream, and the one in place of events that a slow reader lost. A sentence about an
/// event is for the administration; a word is for everybody.
std::string event_json(const adapter_event& event, audience reader);
std::string missed_json(std::uint64_t count);

}  // namespace lorica
