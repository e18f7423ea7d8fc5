#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/collected_reply.hpp"
#include "net/event_format.hpp"
#include "net/tgi_request.hpp"

namespace lorica {

/// What the words of a native answer need to know about its request.
struct tgi_wishes {
  bool details = false;
  std::uint32_t top_tokens = 0;    ///< alternatives with each token; 0: none
  std::uint32_t alternatives = 0;  ///< the same in LoRAX's form
  bool list = false;               ///< `POST /` answers with a list of one
  std::string full_text_prefix;    ///< the prompt, if it belongs before the text
};

/// `{"generated_text", "details"?}`. Of several choices the first is the best one, the others come under
/// `best_of_sequences`.
http_reply tgi_reply(const tgi_wishes& wishes, const collected& all);

/// The events of `/generate_stream`.
std::unique_ptr<event_format> tgi_events(tgi_wishes wishes);

}  // namespace lorica
