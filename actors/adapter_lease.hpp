#pragma once

#include "actors/protocol.hpp"
#include "engine/packed_adapter.hpp"

namespace lorica {

/// A pointer to a resident adapter that is also the right to use it in steps. Counted by `adapters`; the last
/// copy posts the release from any thread, so a holder that dies gives it back too.
packed_ptr make_lease(packed_ptr adapter, const adapters_actor& owner);

}  // namespace lorica
