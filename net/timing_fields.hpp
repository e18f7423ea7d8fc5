#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/generation.hpp"
#include "net/collected.hpp"
#include "net/http_message.hpp"

namespace lorica {

/// What the fields about size and time need to know of a request.
struct arrival {
  std::string device;                     ///< for `x-compute-type`
  std::optional<std::size_t> characters;  ///< of its prompts; absent where not all are texts
  clock_source::time_point at;
};

/// The arrival of `request`, now.
arrival arrival_of(const generation_request& request, const std::string& device,
                   clock_source::time_point now);

/// TGI's fields that are known before anything is computed: `x-compute-type`, `x-compute-characters`.
std::vector<http_field> arrival_fields(const arrival& from);

/// TGI's and LoRAX's fields of a whole answer, the above among them: counts of tokens, and times in whole
/// milliseconds (`x-compute-time` in seconds). `now` ends the total time.
std::vector<http_field> timing_fields(const arrival& from, const collected& all,
                                      clock_source::time_point now);

}  // namespace lorica
