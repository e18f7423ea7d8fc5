#include "app/admin/top_feed.hpp"

#include "app/admin/event_line.hpp"
#include "app/admin/exit_code.hpp"

#include <utility>

namespace lorica::admin {
namespace {

constexpr std::size_t most_news = 1000;
constexpr std::size_t most_wishes = 100;
constexpr std::chrono::milliseconds before_another_try{1000};

/// Method and target of a wish.
std::pair<std::string_view, std::string> request_of(const top_wish& wish) {
  switch (wish.what) {
    case top_wish::kind::pin: return {"POST", adapter_target(wish.name, "/pin")};
    case top_wish::kind::unpin: return {"POST", adapter_target(wish.name, "/unpin")};
    default: return {"DELETE", adapter_target(wish.name)};
  }
}

std::string done_text(const top_wish& wish) {
  switch (wish.what) {
    case top_wish::kind::pin: return "Pinned " + wish.name;
    case top_wish::kind::unpin: return "Unpinned " + wish.name;
    default: return "Unloaded " + wish.name;
  }
}

}  // namespace

top_feed::top_feed(const http_client_options& address, std::chrono::milliseconds interval)
    : address_(address),
      interval_(interval),
      reader_([this](const std::stop_token& stop) { read(stop); }),
      follower_([this](const std::stop_token& stop) { follow(stop); }),
      worker_([this](const std::stop_token& stop) { carry_out(stop); }) {}

std::vector<top_news> top_feed::take() {
  std::lock_guard hold(changing_);
  std::vector<top_news> out(std::make_move_iterator(news_.begin()), std::make_move_iterator(news_.end()));
  news_.clear();
  return out;
}

void top_feed::order(top_wish wish) {
  std::lock_guard hold(changing_);
  if (wishes_.size() < most_wishes) wishes_.push_back(std::move(wish));
  changed_.notify_all();
}

void top_feed::put(top_news news) {
  std::lock_guard hold(changing_);
  if (news_.size() == most_news) news_.pop_front();
  news_.push_back(std::move(news));
}

bool top_feed::pause(const std::stop_token& stop, std::chrono::milliseconds time) {
  std::unique_lock hold(changing_);
  changed_.wait_for(hold, stop, time, [] { return false; });
  return !stop.stop_requested();
}

bool top_feed::wait_for_next_reading(const std::stop_token& stop) {
  std::unique_lock hold(changing_);
  changed_.wait_for(hold, stop, interval_, [this] { return std::exchange(read_now_, false); });
  return !stop.stop_requested();
}

void top_feed::read(const std::stop_token& stop) {
  auto server = server_link::open(address_);
  if (!server) return put(top_loss{server.error().text});
  do {
    auto reading = read_top(*server, stop);
    if (reading)
      put(*std::move(reading));
    else if (!stop.stop_requested())
      put(top_loss{reading.error().text});
  } while (wait_for_next_reading(stop));
}

void top_feed::follow(const std::stop_token& stop) {
  auto server = server_link::open(address_);
  if (!server) return;
  do {
    auto take = [this](const value& event) {
      put(top_event{event_line(event)});
      return stream_wish::more;
    };
    auto end = server->follow({.target = events_target, .accept = "text/event-stream"}, take, stop);
    // That the server is away is told by the reader.
    bool away = end || exit_code_of(end.error()) == exit_code::unreachable;
    if (!away && !stop.stop_requested()) put(top_said{"No events: " + end.error().text});
  } while (pause(stop, before_another_try));
}

void top_feed::carry_out(const std::stop_token& stop) {
  auto server = server_link::open(address_);
  if (!server) return;
  for (;;) {
    top_wish wish;
    {
      std::unique_lock hold(changing_);
      if (!changed_.wait(hold, stop, [this] { return !wishes_.empty(); })) return;
      wish = std::move(wishes_.front());
      wishes_.pop_front();
    }
    auto [method, target] = request_of(wish);
    auto got = server->ask(method, target, {}, stop);
    {
      std::lock_guard hold(changing_);
      read_now_ = true;
      changed_.notify_all();
    }
    put(top_said{got ? done_text(wish) : wish.name + ": " + got.error().text});
  }
}

}  // namespace lorica::admin
