#pragma once

#include <string>

#include "core/generation.hpp"
#include "core/server_info.hpp"
#include "net/field_reader.hpp"

namespace lorica {

/// Decides which adapters serve a generation: `one`, which another field names (empty: the base), or those of
/// `adapters` (weighted, their updates are summed) or `merged_adapters` (LoRAX's, matrices are summed). At
/// most one of the three may be given; what does not fit is refused in `fields`. LoRAX's `adapter_source` is
/// checked and its `api_token` dropped: downloads are made with the server's own token.
void choose_adapters(field_reader& fields, std::string one, const server_info& info,
                     generation_request& into);

}  // namespace lorica
