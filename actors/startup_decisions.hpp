#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "core/error.hpp"

namespace lorica {

/// Counts the start-up adapters that are still being loaded and tells once how the start ended: with the
/// first refused one unless they are skipped, else when the last is decided. Owned by `adapters`.
class startup_decisions {
 public:
  /// With nothing to wait for, `tell` is called here.
  startup_decisions(std::size_t count, bool skip_bad, std::function<void(result<void>)> tell);

  /// The load of adapter `name` ended. Calls after the last one are ignored.
  void decide(const std::string& name, const result<void>& outcome);

 private:
  std::size_t left_;
  bool skip_bad_;
  std::function<void(result<void>)> tell_;  ///< empty once called
};

}  // namespace lorica
