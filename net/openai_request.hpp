#pragma once

#include <cstdint>
#include <string>

#include "core/error.hpp"
#include "core/generation.hpp"
#include "core/server_info.hpp"
#include "core/value.hpp"

namespace lorica {

/// Which chunks of a stream carry `usage`.
enum class usage_chunks : std::uint8_t { none, last, every };

/// A checked body of `/v1/completions`.
struct openai_request {
  generation_request generation;
  std::string model;  ///< as asked for; the base's id when nothing was asked
  bool stream = false;
  usage_chunks usage = usage_chunks::none;
};

/// Checks a body against the limits. `seed` is used when the client gives none. Fields that other servers
/// know and this one does not serve are refused by name; unknown ones are ignored.
result<openai_request> read_openai_request(const value& body, const server_info& info, std::uint64_t seed);

}  // namespace lorica
