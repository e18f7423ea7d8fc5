#include "net/exchange.hpp"

#include <utility>

namespace lorica {

// A generation that goes on although its stream is saturated is cut at this multiple of the bound.
constexpr std::size_t patience = 4;

exchange::exchange(carrier to_strand, std::size_t output_limit)
    : output_limit_(output_limit), to_strand_(std::move(to_strand)) {}

void exchange::attach(std::shared_ptr<generation_handle> running) {
  {
    std::lock_guard hold(changing_);
    if (complete_) return;
    if (!abandoned_) {
      running_ = std::move(running);
      return;
    }
  }
  running->cancel();
}

void exchange::reply(http_reply answer) {
  carry_last(whole_reply{std::move(answer)});
}
bool exchange::begin_stream(http_reply head) {
  std::lock_guard hold(changing_);
  if (std::exchange(headed_, true)) return false;
  if (to_strand_ && !complete_) to_strand_(stream_head{std::move(head)});
  return true;
}
bool exchange::claim_head() {
  std::lock_guard hold(changing_);
  return !std::exchange(headed_, true);
}
void exchange::expect_stream(http_reply head) {
  carry(stream_expected{std::move(head)});
}

void exchange::refuse_stream(http_reply answer, std::vector<std::string> last_events) {
  for (auto& event : last_events)
    unsent_ += event.size();
  carry_last(stream_refusal{std::move(answer), std::move(last_events)});
}

void exchange::end_stream() {
  carry_last(stream_end{});
}
void exchange::break_stream() {
  carry_last(stream_break{});
}

void exchange::send(std::string event) {
  auto waiting = unsent_ += event.size();
  if (waiting > patience * output_limit_) return break_off();
  std::lock_guard hold(changing_);
  if (waiting >= output_limit_) full_ = true;
  if (to_strand_ && !complete_) to_strand_(stream_event{std::move(event)});
}

void exchange::break_off() {
  std::shared_ptr<generation_handle> running;
  {
    std::lock_guard hold(changing_);
    running = std::exchange(running_, nullptr);
  }
  break_stream();
  if (running) running->cancel();
}

bool exchange::saturated() const noexcept {
  return unsent_ >= output_limit_;
}

void exchange::written(std::size_t bytes) {
  unsent_ -= bytes;
  std::shared_ptr<generation_handle> running;
  {
    std::lock_guard hold(changing_);
    // Looked at anew: while this waited for the lock the stream may have become full again.
    if (!full_ || unsent_ > output_limit_ / 2) return;
    full_ = false;
    running = running_;
  }
  if (running) running->resume();
}

bool exchange::is_full() {
  std::lock_guard hold(changing_);
  return full_;
}

void exchange::close() {
  std::shared_ptr<generation_handle> done_with;  // let go outside the lock
  std::lock_guard hold(changing_);
  to_strand_ = nullptr;
  done_with = std::exchange(running_, nullptr);
}

bool exchange::abandon() {
  std::shared_ptr<generation_handle> running;
  {
    std::lock_guard hold(changing_);
    to_strand_ = nullptr;
    abandoned_ = true;
    running = std::exchange(running_, nullptr);
    if (complete_) return false;
  }
  if (running) running->cancel();
  return true;
}

void exchange::carry(reply_message message) {
  std::lock_guard hold(changing_);
  if (to_strand_ && !complete_) to_strand_(std::move(message));
}

void exchange::carry_last(reply_message message) {
  std::shared_ptr<generation_handle> done_with;  // let go outside the lock
  std::lock_guard hold(changing_);
  if (complete_) return;
  complete_ = true;
  done_with = std::exchange(running_, nullptr);
  if (to_strand_) to_strand_(std::move(message));
}

}  // namespace lorica
