#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "app/admin/adapter_order.hpp"
#include "app/admin/top_rates.hpp"

namespace lorica::admin {

/// One line of the table.
struct top_row {
  std::string name;  ///< empty: the base
  std::string version, state, tier, marks;
  bool pinned = false;
  double bytes = 0;
  std::int64_t users = 0, requests = 0, last_used = 0;
  double requests_per_second = 0, tokens_per_second = 0;
};

/// What a key asks of somebody else.
struct top_wish {
  enum class kind : std::uint8_t { none, quit, pin, unpin, unload };
  kind what = kind::none;
  std::string name;  ///< of an adapter
};

/// Keys beside characters.
enum class top_key : std::uint8_t { character, up, down, page_up, page_down, home, end, escape };

/// What `top` knows and how it is looked at. Plain: no terminal, no threads, no clock; owned by the main
/// thread.
class top_state {
 public:
  static constexpr std::size_t most_events = 100;

  top_state(std::string place, adapter_order order) : place_(std::move(place)), order_(order) {}

  // News.
  void take(top_reading reading);
  void lose(std::string why);  ///< the server does not answer
  void tell(std::string event_line);
  void say(std::string text);  ///< what became of a wish

  /// A key; `page` is how far page keys go, in rows.
  top_wish press(top_key key, char character, int page);

  const std::string& place() const noexcept { return place_; }
  const top_reading& latest() const noexcept { return latest_; }
  const top_rates& rates() const noexcept { return rates_; }
  const std::vector<top_row>& rows() const noexcept { return rows_; }  ///< in order
  std::size_t selected() const noexcept;                               ///< index in `rows`
  const std::deque<std::string>& events() const noexcept { return events_; }
  const std::string& lost() const noexcept { return lost_; }  ///< empty: the server answers
  const std::string& said() const noexcept { return said_; }
  const std::string& question() const noexcept {
    return unloading_;
  }  ///< unload this one? Empty: nothing is asked
  adapter_order order() const noexcept { return order_; }
  bool shows_help() const noexcept { return help_; }
  bool has_reading() const noexcept { return has_reading_; }

 private:
  void arrange();
  void move(int by);
  top_wish answer_question(char character);

  std::string place_;
  adapter_order order_;
  top_reading latest_;
  top_rates rates_;
  std::vector<top_row> rows_;
  std::optional<std::string>
      selection_;  ///< a name, which stays selected wherever its row goes; absent: the first
  std::deque<std::string> events_;
  std::string lost_, said_, unloading_;
  bool help_ = false;
  bool has_reading_ = false;
};

}  // namespace lorica::admin
