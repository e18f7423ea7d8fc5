#pragma once

#include "engine/adapter_weights.hpp"

namespace lorica {

/// Frobenius norm of scaling * B * A, without that product: |BA|^2 = tr(B'B AA') = the sum over all i, j of
/// (B'B)_ij (AA')_ij, of which both are [rank, rank]. Relative error about 1e-5 of |B| |A|. `norm_a` and
/// `norm_b` are the Frobenius norms of A and B.
double update_norm(const lora_site& site, double norm_a, double norm_b);

}  // namespace lorica
