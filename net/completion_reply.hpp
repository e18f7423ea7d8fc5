#pragma once

#include <cstdint>
#include <memory>

#include "net/collected_reply.hpp"
#include "net/event_format.hpp"
#include "net/openai_parts.hpp"
#include "net/openai_request.hpp"

namespace lorica {

/// A `text_completion` object with `usage`. `choices` is how many each prompt has.
http_reply completion_reply(const openai_identity& identity, const openai_wishes& wishes,
                            std::uint32_t choices, const collected& all);

/// The chunks of a streamed completion; the last event is `[DONE]`, also after an error.
std::unique_ptr<event_format> completion_events(openai_identity identity, openai_wishes wishes,
                                                std::uint32_t choices);

}  // namespace lorica
