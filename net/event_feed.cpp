#include "net/event_feed.hpp"

#include <utility>

#include "net/sse_stream.hpp"

namespace lorica {
namespace {

constexpr std::size_t early_limit = 64;  // events between the subscription and the head

}  // namespace

void event_feed::hold(std::shared_ptr<adapter_watch> watch) {
  std::lock_guard hold(changing_);
  if (!ended_) watch_.swap(watch);
}

void event_feed::begin() {
  std::lock_guard hold(changing_);
  begun_ = true;
  channel_->begin_stream(event_stream_head());
  for (auto& json : std::exchange(early_, {}))
    send(json);
  tell_missed();
  if (ended_) channel_->end_stream();
}

void event_feed::tell(const adapter_event& event) {
  auto json = event_json(event, reader_);
  std::lock_guard hold(changing_);
  if (ended_) return;
  if (begun_) return send(json);
  if (early_.size() < early_limit)
    early_.push_back(std::move(json));
  else
    ++missed_;
}

void event_feed::send(const std::string& json) {
  tell_missed();
  if (missed_ == 0 && !channel_->saturated()) return channel_->send(as_event(json));
  ++missed_;
  // The client may have caught up in between; then no `resume` follows.
  tell_missed();
}

void event_feed::tell_missed() {
  if (missed_ == 0 || channel_->saturated()) return;
  channel_->send(as_event(missed_json(std::exchange(missed_, 0))));
}

void event_feed::end() {
  auto watch = finish();  // let go outside the lock
  std::lock_guard hold(changing_);
  if (begun_) channel_->end_stream();
}

void event_feed::cancel() noexcept {
  auto watch = finish();
}

void event_feed::resume() noexcept {
  std::lock_guard hold(changing_);
  if (!ended_) tell_missed();
}

std::shared_ptr<adapter_watch> event_feed::finish() {
  std::lock_guard hold(changing_);
  ended_ = true;
  return std::exchange(watch_, nullptr);
}

bool event_feeds::add(const std::shared_ptr<event_feed>& feed) {
  std::lock_guard hold(changing_);
  std::erase_if(all_, [](auto& known) { return known.expired(); });
  if (closed_ || all_.size() >= limit) return false;
  all_.push_back(feed);
  return true;
}

void event_feeds::end_all() noexcept {
  std::vector<std::weak_ptr<event_feed>> open;
  {
    std::lock_guard hold(changing_);
    closed_ = true;
    open = std::exchange(all_, {});
  }
  for (auto& known : open)
    if (auto feed = known.lock()) feed->end();
}

}  // namespace lorica
