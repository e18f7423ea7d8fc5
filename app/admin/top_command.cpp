#include <unistd.h>

#include "app/admin/commands.hpp"
#include "app/admin/json_text.hpp"
#include "app/admin/task.hpp"
#include "app/admin/terminal.hpp"
#include "app/admin/top_feed.hpp"
#include "app/admin/top_screen.hpp"

namespace lorica::admin {
namespace {

constexpr std::chrono::milliseconds between_keys{100};

/// One of the news goes into the state.
struct applied {
  top_state& state;
  void operator()(top_reading& n) { state.take(std::move(n)); }
  void operator()(top_loss& n) { state.lose(std::move(n.why)); }
  void operator()(top_event& n) { state.tell(std::move(n.line)); }
  void operator()(top_said& n) { state.say(std::move(n.text)); }
};

exit_code show_live(task& t, top_state state, std::chrono::milliseconds interval) {
  auto screen = terminal::open();
  if (!screen) return t.out.refuse(screen.error());
  top_feed feed(t.address, interval);
  while (!t.stop.once.stop_requested()) {
    for (auto& news : feed.take())
      std::visit(applied{state}, news);
    auto size = (*screen)->size();
    (*screen)->draw(draw_top(state, size));
    auto pressed = (*screen)->key(between_keys);
    if (!pressed) continue;
    auto wish = state.press(pressed->key, pressed->character, table_rows(size));
    if (wish.what == top_wish::kind::quit) return exit_code::done;
    if (wish.what != top_wish::kind::none) feed.order(std::move(wish));
  }
  return exit_code::interrupted;
}

exit_code print_tables(task& t, top_state state, std::chrono::milliseconds interval, std::uint64_t count) {
  // One reading more than tables: rates need two.
  for (std::uint64_t i = 0; i <= count; ++i) {
    if (i > 0 && !t.stop.pause(interval)) return exit_code::interrupted;
    auto reading = read_top(t.server, t.stop.once);
    if (!reading) return t.out.refuse(reading.error());
    state.take(*std::move(reading));
    if (i == 0) continue;
    std::string text;
    for (auto& line : top_figures(state))
      text += line + "\n";
    text += "\n";
    for (auto& line : top_table(state))
      text += line + "\n";
    if (i < count) text += "\n";
    t.out.print(t.out.json() ? json_text(top_document(state)) + "\n" : text);
  }
  return exit_code::done;
}

}  // namespace

exit_code run_top(task& t) {
  auto seconds = t.what.number("--interval", 1, 3600, 1);
  if (!seconds) return t.out.refuse(seconds.error());
  auto count = t.what.number("--count", 1, 1'000'000, 1);
  if (!count) return t.out.refuse(count.error());
  top_state state(t.server.place(), adapter_order_of(t.what.text("--sort", "requests")));
  std::chrono::milliseconds interval = std::chrono::seconds(*seconds);
  bool live = ::isatty(0) && ::isatty(1) && !t.out.json() && !t.what.has("--count");
  if (live) return show_live(t, std::move(state), interval);
  return print_tables(t, std::move(state), interval, *count);
}

}  // namespace lorica::admin
