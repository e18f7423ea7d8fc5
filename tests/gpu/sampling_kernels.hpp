#pragma once

#include <cstdint>

#include "core/error.hpp"
#include "gpu/stream.hpp"

namespace lorica::testing {

/// y = exp(x) of `count` numbers that are not positive, as sampling computes it.
result<void> exponentials(const float* x, std::uint32_t count, float* y, const gpu::stream& s);

}  // namespace lorica::testing
