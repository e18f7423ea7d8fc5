#include "engine/fair_queue.hpp"

#include <algorithm>

namespace lorica {

client_key client_of(const sequence& s) {
  client_key out;
  out.adapters.reserve(s.composition.size());
  for (auto& share : s.composition)
    out.adapters.push_back(share.version);
  std::ranges::sort(out.adapters);
  out.adapters.erase(std::ranges::unique(out.adapters).begin(), out.adapters.end());
  return out;
}

fair_queue::client& fair_queue::enter(const client_key& key) {
  auto& known = clients_[key];
  if (!known) {
    known = std::make_unique<client>();
    known->key = key;
    known->serial = next_serial_++;
  }
  auto& c = *known;
  if (c.present++ != 0) return c;
  idle_.erase({c.given, c.serial, &c});
  c.ahead = 0;
  c.number = present_.size();
  present_.push_back(&c);
  return c;
}

void fair_queue::leave(client& c) {
  if (--c.present != 0) return;
  if (c.dirty) std::erase(dirty_, &c);
  c.dirty = false;
  present_[c.number] = present_.back();
  present_[c.number]->number = c.number;
  present_.pop_back();
  idle_.insert({c.given, c.serial, &c});
  forget_idle();
}

/// Who would be lifted on its return anyway need not be remembered; of too many, those that lose least.
void fair_queue::forget_idle() {
  auto least = floor();
  while (!idle_.empty()) {
    auto [given, serial, c] = *idle_.begin();
    if (given > least && idle_.size() <= most_idle) return;
    idle_.erase(idle_.begin());
    if (c == last_) last_given_ = std::exchange(last_, nullptr)->given;
    clients_.erase(client_key(c->key));  // a copy: the client owns its key
  }
}

double fair_queue::floor() const noexcept {
  if (order_.empty()) return last_ ? last_->given : last_given_;
  auto given = [](auto& waits) { return waits.second->given; };
  return std::ranges::min_element(order_, {}, given)->second->given;
}

double fair_queue::gap() const noexcept {
  if (order_.empty()) return 0;
  auto counter = [](auto& waits) { return waits.second->counter(); };
  auto [least, most] = std::ranges::minmax_element(order_, {}, counter);
  return counter(*most) - counter(*least);
}

void fair_queue::add(client& c, place p) {
  if (c.waiting.empty())
    c.given = std::max(c.given, floor());
  else
    order_.erase(c.at);
  c.waiting.insert(p);
  c.at = turn_now(c);
  order_.emplace(c.at, &c);
  note_service(c);
}

void fair_queue::remove(client& c, place p) {
  order_.erase(c.at);
  c.waiting.erase(p);
  if (!c.waiting.empty()) order_.emplace(c.at = turn_now(c), &c);
  if (order_.empty()) last_ = &c;
  note_service(c);
}

/// Where a client stands of whom somebody waits.
fair_queue::turn fair_queue::turn_now(const client& c) const noexcept {
  auto [rank, ticket] = *c.waiting.begin();
  if (rank == 0) return {rank, 0, false, ticket};
  return {rank, c.counter(), fair() && c.running != 0, ticket};
}

void fair_queue::put_again(client& c) {
  auto node = order_.extract(c.at);
  node.key() = c.at = turn_now(c);
  order_.insert(std::move(node));
}

void fair_queue::started(client& c) {
  if (++c.running == 1 && !c.waiting.empty()) put_again(c);
  note_service(c);
}

void fair_queue::stopped(client& c) {
  if (--c.running == 0 && !c.waiting.empty()) put_again(c);
  note_service(c);
}

void fair_queue::note_service(client& c) {
  auto now = c.running == 0 && !c.waiting.empty();
  if (now == c.unserved) return;
  if (now) {
    c.since = now_;
    unserved_.insert({c.since, c.serial, &c});
  } else {
    unserved_.erase({c.since, c.serial, &c});
  }
  c.unserved = now;
}

void fair_queue::charge(client& c, double seconds) {
  if (!fair()) return;
  c.given += seconds;
  changed(c);
}

void fair_queue::expect(client& c, double seconds) {
  if (!fair()) return;
  c.ahead += seconds;
  changed(c);
}

void fair_queue::changed(client& c) {
  if (c.waiting.empty() || std::exchange(c.dirty, true)) return;
  dirty_.push_back(&c);
}

void fair_queue::settle() {
  for (auto c : dirty_) {
    c->dirty = false;
    if (!c->waiting.empty()) put_again(*c);
  }
  dirty_.clear();
}

fair_queue::client* fair_queue::first() {
  return order_.empty() ? nullptr : order_.begin()->second;
}

fair_queue::client* fair_queue::behind(const turn& t) {
  auto next = order_.upper_bound(t);
  return next == order_.end() ? nullptr : next->second;
}

std::vector<fair_queue::client*> fair_queue::unserved(std::chrono::nanoseconds limit,
                                                      std::size_t most) const {
  std::vector<client*> out;
  for (auto& [since, serial, c] : unserved_) {
    if (now_ - since < limit || out.size() == most) break;
    out.push_back(c);
  }
  return out;
}

}  // namespace lorica
