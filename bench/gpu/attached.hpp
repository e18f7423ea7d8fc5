#pragma once

#include "bench/gpu/adapters.hpp"
#include "bench/gpu/failure.hpp"
#include "engine/executor.hpp"

namespace lorica::bench {

/// Adapters of an executor while this lives.
class attached {
 public:
  attached(executor& engine, adapter_list adapters) : engine_(engine) {
    for (auto& a : adapters) {
      need(engine.attach(a));
      adapters_.push_back(a);
    }
  }
  ~attached() {
    for (auto& a : adapters_)
      engine_.detach(*a);
  }
  attached(const attached&) = delete;
  attached& operator=(const attached&) = delete;

 private:
  executor& engine_;
  adapter_list adapters_;
};

}  // namespace lorica::bench
