#include "app/admin/top_state.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "app/admin/wording.hpp"

namespace lorica::admin {
namespace {

bool before(const top_row& a, const top_row& b, adapter_order order) {
  auto by = [&](auto figure) { return figure(a) == figure(b) ? a.name < b.name : figure(a) > figure(b); };
  switch (order) {
    case adapter_order::requests:
      if (a.users != b.users) return a.users > b.users;
      if (a.requests_per_second != b.requests_per_second)
        return a.requests_per_second > b.requests_per_second;
      return by([](auto& row) { return row.requests; });
    case adapter_order::bytes: return by([](auto& row) { return row.bytes; });
    case adapter_order::last_used: return by([](auto& row) { return row.last_used; });
    case adapter_order::name: break;
  }
  return a.name < b.name;
}

}  // namespace

void top_state::take(top_reading reading) {
  latest_ = std::move(reading);
  rates_.take(latest_);
  lost_.clear();
  has_reading_ = true;
  rows_.clear();
  top_row base;
  base.requests = static_cast<std::int64_t>([&] {
    auto all = latest_.metrics.by("lorica_requests_total", "adapter");
    return all.contains("") ? all[""] : 0;
  }());
  base.requests_per_second = rates_.requests("");
  base.tokens_per_second = rates_.tokens("");
  rows_.push_back(std::move(base));
  for (auto& a : latest_.adapters) {
    auto name = text_of(a, "name");
    if (name.empty()) continue;
    rows_.push_back({name, text_of(a, "version"), text_of(a, "state"), text_of(a, "tier", "-"), marks_of(a),
                     flag_of(a, "pinned"), number_of(a, "bytes"), whole_of(a, "users"),
                     whole_of(a, "requests"), whole_of(a, "last_used"), rates_.requests(name),
                     rates_.tokens(name)});
  }
  arrange();
  bool there = std::any_of(rows_.begin(), rows_.end(), [&](auto& row) { return row.name == unloading_; });
  if (!there) unloading_.clear();
}

void top_state::lose(std::string why) {
  lost_ = std::move(why);
}

void top_state::tell(std::string event_line) {
  events_.push_back(std::move(event_line));
  if (events_.size() > most_events) events_.pop_front();
}

void top_state::say(std::string text) {
  said_ = std::move(text);
}

void top_state::arrange() {
  std::stable_sort(rows_.begin(), rows_.end(), [&](auto& a, auto& b) { return before(a, b, order_); });
}

std::size_t top_state::selected() const noexcept {
  auto at = std::find_if(rows_.begin(), rows_.end(), [&](auto& row) { return row.name == selection_; });
  return at == rows_.end() ? 0 : static_cast<std::size_t>(at - rows_.begin());
}

void top_state::move(int by) {
  if (rows_.empty()) return;
  auto last = static_cast<std::int64_t>(rows_.size()) - 1;
  auto to = std::clamp<std::int64_t>(static_cast<std::int64_t>(selected()) + by, 0, last);
  selection_ = rows_[static_cast<std::size_t>(to)].name;
}

top_wish top_state::answer_question(char character) {
  auto name = std::exchange(unloading_, {});
  if (character != 'y' && character != 'Y') return {};
  said_ = "Unloading " + name;
  return {top_wish::kind::unload, name};
}

top_wish top_state::press(top_key key, char character, int page) {
  if (!unloading_.empty()) return answer_question(character);
  if (std::exchange(help_, false)) return {};
  said_.clear();
  constexpr int far = std::numeric_limits<int>::max();
  switch (key) {
    case top_key::up: move(-1); return {};
    case top_key::down: move(1); return {};
    case top_key::page_up: move(-page); return {};
    case top_key::page_down: move(page); return {};
    case top_key::home: move(-far); return {};
    case top_key::end: move(far); return {};
    case top_key::escape: return {};
    case top_key::character: break;
  }
  auto sort = [&](adapter_order order) {
    order_ = order;
    arrange();
  };
  switch (character) {
    case 'q': return {top_wish::kind::quit, {}};
    case '?':
    case 'h': help_ = true; return {};
    case 'k': move(-1); return {};
    case 'j': move(1); return {};
    case 't': sort(adapter_order::requests); return {};
    case 'b': sort(adapter_order::bytes); return {};
    case 'l': sort(adapter_order::last_used); return {};
    case 'n': sort(adapter_order::name); return {};
    default: break;
  }
  if (character != 'p' && character != 'u') return {};
  auto name = rows_.empty() ? std::string() : rows_[selected()].name;
  if (name.empty()) {
    said_ = "Select an adapter first";
    return {};
  }
  // The name is what was meant, also if the rows move before the answer.
  selection_ = name;
  if (character == 'u') {
    unloading_ = name;
    return {};
  }
  // Taken for done until the next reading says what is: a second key takes it back.
  bool pinned = std::exchange(rows_[selected()].pinned, !rows_[selected()].pinned);
  said_ = (pinned ? "Unpinning " : "Pinning ") + name;
  return {pinned ? top_wish::kind::unpin : top_wish::kind::pin, name};
}

}  // namespace lorica::admin
