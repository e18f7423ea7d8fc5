#pragma once

#include <string>
#include <string_view>

#include "core/error.hpp"

namespace lorica {

/// Paths beside the table's that the operator's platform has chosen (Vertex AI's `AIP_PREDICT_ROUTE` and
/// `AIP_HEALTH_ROUTE`): they mean `/vertex` and `/health`.
class extra_routes {
 public:
  extra_routes() = default;

  /// Empty: none. Fails with `errc::bad_config` for what is no path, or a path that is taken.
  static result<extra_routes> make(std::string predict, std::string health);

  /// The path of the table that `path` means: itself, mostly.
  std::string_view meant(std::string_view path) const noexcept;

 private:
  std::string predict_;
  std::string health_;
};

}  // namespace lorica
