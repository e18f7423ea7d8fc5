#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <vector>

#include "bench/gpu/adapters.hpp"
#include "engine/executor.hpp"

namespace lorica::bench {

/// Which of many packed adapters an executor has: those in use stay, of the others the one that was used
/// least recently makes room.
class device_shelf {
 public:
  device_shelf(executor& engine, const adapter_list& adapters);
  ~device_shelf();
  device_shelf(const device_shelf&) = delete;
  device_shelf& operator=(const device_shelf&) = delete;

  /// Starts to bring an adapter and holds it; null when all that are there are in use. Throws `failure`.
  std::shared_ptr<const packed_adapter> hold(const adapter_version& version);

  /// Nobody uses it any more.
  void release(const adapter_version& version);

  /// Those in use.
  std::vector<adapter_version> held() const { return {held_.begin(), held_.end()}; }

  std::uint64_t copies() const noexcept { return copies_; }  ///< that were started

 private:
  bool make_room();

  executor& engine_;
  std::map<adapter_version, std::shared_ptr<const packed_adapter>> all_;
  std::set<adapter_version> held_;
  std::list<adapter_version> unused_;  // there; the one that was used least recently in front
  std::uint64_t copies_ = 0;
};

}  // namespace lorica::bench
