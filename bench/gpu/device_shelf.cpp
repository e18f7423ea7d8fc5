#include "bench/gpu/device_shelf.hpp"

#include <algorithm>

#include "bench/gpu/failure.hpp"

namespace lorica::bench {

device_shelf::device_shelf(executor& engine, const adapter_list& adapters) : engine_(engine) {
  for (auto& a : adapters)
    all_.emplace(a->version(), a);
}

device_shelf::~device_shelf() {
  for (auto& version : held_)
    engine_.detach(*all_.at(version));
  while (make_room()) {
  }
}

bool device_shelf::make_room() {
  if (unused_.empty()) return false;
  engine_.detach(*all_.at(unused_.front()));
  unused_.pop_front();
  return true;
}

std::shared_ptr<const packed_adapter> device_shelf::hold(const adapter_version& version) {
  const auto& adapter = all_.at(version);
  const auto there = std::ranges::find(unused_, version);
  if (there != unused_.end()) {
    unused_.erase(there);
    held_.insert(version);
    return adapter;
  }
  for (auto done = engine_.attach(adapter); !done; done = engine_.attach(adapter)) {
    if (done.error().code != errc::out_of_memory) throw failure(done.error());
    if (!make_room()) return nullptr;
  }
  ++copies_;
  held_.insert(version);
  return adapter;
}

void device_shelf::release(const adapter_version& version) {
  if (held_.erase(version) != 0) unused_.push_back(version);
}

}  // namespace lorica::bench
