#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// Fails with `errc::bad_adapter`, reason `non_finite_weights`, when one of the numbers is NaN or infinite;
/// the text names the tensor and the element. `first` is the place of the first of them in the tensor.
result<void> check_finite(std::string_view tensor, std::span<const float> numbers, std::size_t first);

}  // namespace lorica
