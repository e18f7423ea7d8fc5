#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "net/collected_reply.hpp"
#include "net/event_format.hpp"
#include "net/tgi_request.hpp"

namespace lorica {

/// What the words of a native answer need to know about its request.
struct tgi_wishes {
  bool details = false;
  bool prompt_details = false;
  bool sampled = false;          ///< TGI reports a seed only then
  std::uint32_t top_tokens = 0;  ///< alternatives with each token; 0: none
  bool list = false;             ///< `POST /` answers with a list of one
  std::string full_text_prefix;  ///< the prompt, if it belongs before the text
  std::string device;            ///< for `x-compute-type`
  std::size_t prompt_characters = 0;
  clock_source::time_point arrived;
};

/// `{"generated_text", "details"?}` with TGI's timing fields; of several choices the one with the highest
/// mean log-probability, the others under `best_of_sequences`. `now` ends the total time.
http_reply tgi_reply(const tgi_wishes& wishes, const collected& all, clock_source::time_point now);

/// The events of `/generate_stream`.
std::unique_ptr<event_format> tgi_events(tgi_wishes wishes);

}  // namespace lorica
