#pragma once

#include <caf/actor_addr.hpp>
#include <caf/typed_response_promise.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "actors/payloads.hpp"

namespace lorica {

/// Requests that wait until a name can be answered for. A plain class, owned by `adapters`.
class adapter_waiters {
 public:
  struct waiter {
    std::uint64_t timer = 0;
    std::string asked;  ///< the name as the request wrote it
    caf::typed_response_promise<resolve_reply> answer;
    caf::actor_addr session;
  };

  ~adapter_waiters() {
    for (auto& [name, all] : waiting_)
      for (auto& w : all)
        w.answer.deliver(make_reply(fail(errc::unavailable, "The server is shutting down")));
  }

  static resolve_reply make_reply(result<adapter_reference> r) {
    return std::make_shared<const result<adapter_reference>>(std::move(r));
  }

  /// `name` is what is waited for: the target where an alias was asked for.
  void add(const std::string& name, waiter w) {
    by_timer_[w.timer] = name;
    waiting_[name].push_back(std::move(w));
  }

  /// Takes out everybody who waits for `name`.
  std::vector<waiter> take(const std::string& name) {
    auto found = waiting_.extract(name);
    if (found.empty()) return {};
    for (auto& w : found.mapped())
      by_timer_.erase(w.timer);
    return std::move(found.mapped());
  }

  /// Takes out everybody.
  std::vector<waiter> take_all() {
    std::vector<waiter> out;
    for (auto& [name, all] : waiting_)
      std::move(all.begin(), all.end(), std::back_inserter(out));
    waiting_.clear();
    by_timer_.clear();
    return out;
  }

  /// The one whose time is over; nothing when `timer` is nobody's.
  std::optional<waiter> expire(std::uint64_t timer) {
    auto name = by_timer_.extract(timer);
    if (name.empty()) return std::nullopt;
    auto all = waiting_.find(name.mapped());
    auto it = std::ranges::find(all->second, timer, &waiter::timer);
    auto out = std::move(*it);
    all->second.erase(it);
    if (all->second.empty()) waiting_.erase(all);
    return out;
  }

 private:
  std::map<std::string, std::vector<waiter>, std::less<>> waiting_;
  std::map<std::uint64_t, std::string> by_timer_;
};

}  // namespace lorica
