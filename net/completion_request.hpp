#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "core/server_info.hpp"
#include "core/value.hpp"
#include "net/openai_request.hpp"

namespace lorica {

/// Checks a body of `/v1/completions` against the limits. `seed` is used when the client gives none. Fields
/// that other servers know and this one does not serve are refused by name; unknown ones are ignored.
result<openai_request> read_completion_request(const value& body, const server_info& info,
                                               std::uint64_t seed);

}  // namespace lorica
