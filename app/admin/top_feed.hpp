#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "app/admin/top_reading.hpp"
#include "app/admin/top_state.hpp"

namespace lorica::admin {

/// What came from the server since one looked last.
struct top_event {
  std::string line;
};
struct top_loss {
  std::string why;
};
struct top_said {
  std::string text;
};
using top_news = std::variant<top_reading, top_loss, top_event, top_said>;

/// Talks with the server on threads of its own, so that no key ever waits for an answer: one reads again and
/// again, one follows the events, one carries out wishes. The destructor ends what runs. All methods from the
/// owner's thread.
class top_feed {
 public:
  top_feed(const http_client_options& address, std::chrono::milliseconds interval);

  /// Everything new, the oldest first.
  std::vector<top_news> take();

  /// Pins, unpins or unloads; its end comes as `top_said`.
  void order(top_wish wish);

 private:
  void read(const std::stop_token& stop);
  void follow(const std::stop_token& stop);
  void carry_out(const std::stop_token& stop);
  bool pause(const std::stop_token& stop, std::chrono::milliseconds time);
  bool wait_for_next_reading(const std::stop_token& stop);
  void put(top_news news);

  const http_client_options address_;
  const std::chrono::milliseconds interval_;
  std::mutex changing_;  ///< guards the queues and `read_now_`
  std::condition_variable_any changed_;
  std::deque<top_news> news_;
  std::deque<top_wish> wishes_;
  bool read_now_ = false;                    ///< something was changed, so a reading is due
  std::jthread reader_, follower_, worker_;  // last: they end before what they use
};

}  // namespace lorica::admin
