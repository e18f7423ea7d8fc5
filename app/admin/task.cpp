#include "app/admin/task.hpp"

#include <condition_variable>
#include <mutex>

namespace lorica::admin {

bool interruption::pause(std::chrono::milliseconds time) const {
  std::mutex own;  // guards nothing: waiting needs one
  std::condition_variable_any never;
  std::unique_lock hold(own);
  never.wait_for(hold, once, time, [] { return false; });
  return !once.stop_requested();
}

}  // namespace lorica::admin
