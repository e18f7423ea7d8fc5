#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/runtime.hpp"
#include "adapters/adapter_origin.hpp"
#include "adapters/rescan_policy.hpp"
#include "adapters/root_index.hpp"
#include "core/clock.hpp"

namespace lorica {

/// Where a name that nobody loaded might be: below the allowed roots, or on the Hub. Names are only compared
/// with what a scan found. A plain class, owned by `adapters`; time is handed in.
class adapter_finding {
 public:
  using time_point = clock_source::time_point;

  explicit adapter_finding(dynamic_options options) : options_(std::move(options)) {}

  enum class verdict : std::uint8_t {
    found,    ///< in `origin`
    scan,     ///< the caller scans the roots, reports with `scanned` and asks again
    wait,     ///< a scan runs: ask again after it
    unknown,  ///< not there
  };
  struct answer {
    verdict what = verdict::unknown;
    std::optional<adapter_origin> origin;
  };

  /// Where `name` is. Any number of wrong names costs one scan in five seconds and no memory.
  answer find(const std::string& name, time_point now);

  /// The scan that was asked for is done; null: it failed, what was known stays.
  void scanned(std::shared_ptr<const root_index> index, time_point now);

 private:
  bool on_hub(std::string_view name) const;

  dynamic_options options_;
  std::shared_ptr<const root_index> index_;
  rescan_policy rescans_;
};

}  // namespace lorica
