#pragma once

#include <future>
#include <mutex>
#include <utility>

#include "core/error.hpp"

namespace lorica {

/// One decision that a thread waits for: the first one counts, later ones are ignored. Any thread.
class readiness {
 public:
  void decide(result<void> outcome) {
    std::call_once(once_, [&] { promise_.set_value(std::move(outcome)); });
  }
  result<void> wait() const { return decided_.get(); }

 private:
  std::once_flag once_;
  std::promise<result<void>> promise_;
  std::shared_future<result<void>> decided_ = promise_.get_future().share();
};

}  // namespace lorica
