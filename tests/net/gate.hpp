#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace lorica::testing {

/// Something that others wait for until a test lets them go; a wait ends after ten seconds anyway.
class gate {
 public:
  void open() {
    {
      std::lock_guard hold(changing_);
      open_ = true;
    }
    changed_.notify_all();
  }

  void wait() {
    std::unique_lock hold(changing_);
    changed_.wait_for(hold, std::chrono::seconds(10), [this] { return open_; });
  }

 private:
  std::mutex changing_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace lorica::testing
