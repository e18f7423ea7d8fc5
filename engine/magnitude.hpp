#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <vector>

#include "core/error.hpp"
#include "engine/adapter_weights.hpp"

namespace lorica {

/// Reads rows [first, first + out.size() / in) of a matrix as an executor serves it.
using served_rows = std::function<void(std::size_t first, std::span<float> out)>;

/// m_i / n_i of DoRA for outputs [first, first + rows) of a site, whose base weights are rows [0, rows) of
/// `base`: n_i = || W_i + scaling * (B A)_i || (Liu et al. 2024, section 4). Looks at `stop` after every 32
/// rows. Fails with `errc::cancelled`, or with `errc::bad_adapter`, reason `non_finite_weights`, when a
/// factor is not finite.
result<std::vector<float>> magnitude_factors(const served_rows& base, std::uint32_t rows,
                                             const lora_site& site, std::uint32_t first,
                                             const std::stop_token& stop);

}  // namespace lorica
