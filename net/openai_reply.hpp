#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/collected_reply.hpp"
#include "net/event_format.hpp"
#include "net/openai_request.hpp"

namespace lorica {

/// What stays the same in every object of one answer.
struct completion_identity {
  std::string id;
  std::int64_t created = 0;  ///< seconds since the epoch
  std::string model;         ///< as asked for
  std::string fingerprint;   ///< `system_fingerprint`
};

/// What a client wants told.
struct completion_wishes {
  usage_chunks usage = usage_chunks::none;  ///< of streams
  bool logprobs = false;
  bool echo = false;             ///< the prompt stands before each choice's text
  bool prompt_logprobs = false;  ///< of replies in one piece
};

/// A `text_completion` object with `usage`.
http_reply completion_reply(const completion_identity& identity, const completion_wishes& wishes,
                            const collected& all);

/// The chunks of a streamed completion; the last event is `[DONE]`, also after an error.
std::unique_ptr<event_format> completion_events(completion_identity identity, completion_wishes wishes);

}  // namespace lorica
