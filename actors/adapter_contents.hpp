#pragma once

#include <cstdint>

#include "adapters/reader.hpp"
#include "core/adapter_service.hpp"

namespace lorica {

/// What was read, in the words of listings; `packed_bytes` is what it takes in memory.
adapter_contents describe_contents(const loaded_adapter& adapter, std::uint64_t packed_bytes);

}  // namespace lorica
