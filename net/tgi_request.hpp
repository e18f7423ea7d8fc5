#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "core/generation.hpp"
#include "core/server_info.hpp"
#include "core/value.hpp"

namespace lorica {

/// Which native route asks; on `root` the field `stream` decides.
enum class tgi_surface : std::uint8_t { plain, stream, root };

/// A checked body of a native route.
struct tgi_request {
  generation_request generation;
  bool stream = false;
  bool details = false;
  bool prompt_details = false;     ///< `decoder_input_details`
  bool return_full_text = false;   ///< put the prompt before the text
  std::uint32_t top_tokens = 0;    ///< alternatives that TGI's field wants; the generation gives the most
  std::uint32_t alternatives = 0;  ///< and LoRAX's
};

/// Checks a body against the limits, with TGI's messages. `seed` is used when the client gives none.
result<tgi_request> read_tgi_request(const value& body, tgi_surface surface, const server_info& info,
                                     std::uint64_t seed);

}  // namespace lorica
