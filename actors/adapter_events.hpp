#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/adapter_service.hpp"

namespace lorica {

/// Tells everybody who watches what happens to adapters. A plain class, owned by `adapters`.
class adapter_events {
 public:
  using listener = std::function<void(const adapter_event&)>;

  /// From now on `tell` hears every event. Watchers are few: `max_watchers` of the gateway bounds them.
  void watch(std::uint64_t watcher, listener tell) { listeners_[watcher] = std::move(tell); }
  void unwatch(std::uint64_t watcher) { listeners_.erase(watcher); }

  void emit(std::string_view kind, const std::string& name, std::optional<adapter_version> version,
            std::string because, std::int64_t at_ms) {
    adapter_event out{++last_, at_ms, std::string(kind), name, version, std::move(because)};
    for (auto& [watcher, tell] : listeners_)
      tell(out);
  }

 private:
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, listener> listeners_;
};

}  // namespace lorica
