#pragma once

#include <cstdint>
#include <stop_token>
#include <vector>

#include "core/error.hpp"
#include "cpu/mode.hpp"
#include "engine/adapter_weights.hpp"
#include "model/weights.hpp"

namespace lorica {

/// m_i / n_i of DoRA for outputs [first, first + base.rows) of a site, whose base weights are the rows of
/// `base`: n_i = || W_i + scaling * (B A)_i ||, with W as executors of `mode` store it (Liu et al. 2024,
/// section 4). Looks at `stop` after every 32 rows. Fails with `errc::cancelled`, or with
/// `errc::bad_adapter`, reason `non_finite_weights`, when a factor is not finite.
result<std::vector<float>> magnitude_factors(const tensor_view& base, const lora_site& site,
                                             std::uint32_t first, cpu_mode mode, const std::stop_token& stop);

}  // namespace lorica
