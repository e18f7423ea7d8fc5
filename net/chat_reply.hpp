#pragma once

#include <cstdint>
#include <memory>

#include "net/collected_reply.hpp"
#include "net/event_format.hpp"
#include "net/openai_parts.hpp"
#include "net/openai_request.hpp"

namespace lorica {

/// A `chat.completion` object with `usage`.
http_reply chat_reply(const openai_identity& identity, const openai_wishes& wishes, const collected& all);

/// The chunks of a streamed chat: first the role of each choice, in order, then texts, at the end of each
/// choice an empty delta with its reason. The last event is `[DONE]`, also after an error.
std::unique_ptr<event_format> chat_events(openai_identity identity, openai_wishes wishes,
                                          std::uint32_t choices);

}  // namespace lorica
