#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

namespace lorica {

/// What a connection waits for with a limit.
enum class deadline : std::uint8_t {
  reading,    ///< a handshake, a header, more of a body, the next request, or the peer's end
  body,       ///< the whole body
  writing,    ///< the write that is under way
  draining,   ///< a full stream that is to be read at last
  heartbeat,  ///< the next comment on a silent stream
  head,       ///< the head of a stream that was announced
  gone,       ///< the grace after the peer's end of file
};

/// The deadlines of one connection over one timer. Owned by the session, used on its strand; keeps the
/// session alive while the timer runs.
class session_deadlines {
 public:
  using clock = std::chrono::steady_clock;

  explicit session_deadlines(boost::asio::any_io_executor strand) : timer_(std::move(strand)) {}

  /// Once, before any `set`: `owner` is what `woken` belongs to; it is called when a deadline has passed.
  void begin(std::weak_ptr<void> owner, std::function<void()> woken);

  void set(deadline which, std::chrono::milliseconds from_now);
  void clear(deadline which) noexcept { at(which).reset(); }
  void clear_all() noexcept { due_ = {}; }
  bool is_set(deadline which) const noexcept { return due_[static_cast<std::size_t>(which)].has_value(); }

  /// True when it passed; it stays set.
  bool passed(deadline which) const noexcept;

  /// No more calls.
  void stop();

 private:
  static constexpr std::size_t count = 7;

  std::optional<clock::time_point>& at(deadline which) noexcept {
    return due_[static_cast<std::size_t>(which)];
  }
  void arm();

  boost::asio::steady_timer timer_;
  std::array<std::optional<clock::time_point>, count> due_;
  std::optional<clock::time_point> armed_;
  std::weak_ptr<void> owner_;
  std::function<void()> woken_;
  bool stopped_ = false;
};

}  // namespace lorica
