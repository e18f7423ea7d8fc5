#include "app/admin/terminal.hpp"

// Its macros (timeout, move, erase, …) would change our own words.
#define NCURSES_NOMACROS 1
#include <ncursesw/curses.h>

#include <algorithm>
#include <cstdio>

namespace lorica::admin {

struct terminal::handle {
  explicit handle(SCREEN* s) : screen(s) {}
  ~handle() {
    ::endwin();
    ::delscreen(screen);
  }
  handle(const handle&) = delete;
  handle& operator=(const handle&) = delete;

  SCREEN* screen;
};

namespace {

chtype attribute_of(line_style style) {
  switch (style) {
    case line_style::title: return A_BOLD;
    case line_style::selected: return A_REVERSE;
    case line_style::alert: return A_BOLD | A_REVERSE;
    case line_style::faint: return A_DIM;
    case line_style::plain: break;
  }
  return A_NORMAL;
}

std::optional<terminal_key> key_of(int code) {
  switch (code) {
    case ERR:
    case KEY_RESIZE: return std::nullopt;
    case KEY_UP: return terminal_key{top_key::up};
    case KEY_DOWN: return terminal_key{top_key::down};
    case KEY_PPAGE: return terminal_key{top_key::page_up};
    case KEY_NPAGE: return terminal_key{top_key::page_down};
    case KEY_HOME: return terminal_key{top_key::home};
    case KEY_END: return terminal_key{top_key::end};
    case 27: return terminal_key{top_key::escape};
    default: break;
  }
  if (code < ' ' || code > '~') return terminal_key{top_key::escape};
  return terminal_key{top_key::character, static_cast<char>(code)};
}

}  // namespace

result<std::unique_ptr<terminal>> terminal::open() {
  auto* screen = ::newterm(nullptr, stdout, stdin);
  if (!screen)
    return fail(errc::bad_config,
                "The terminal named by TERM is not known; with | cat the view is a plain table");
  auto made = std::make_unique<handle>(screen);
  ::cbreak();
  ::noecho();
  ::set_escdelay(50);
  ::keypad(stdscr, true);
  ::curs_set(0);
  return std::unique_ptr<terminal>(new terminal(std::move(made)));
}

terminal::terminal(std::unique_ptr<handle> made) : here_(std::move(made)) {}
terminal::~terminal() = default;

screen_size terminal::size() const {
  return {::getmaxy(stdscr), ::getmaxx(stdscr)};
}

void terminal::draw(const std::vector<screen_line>& lines) {
  auto columns = size().columns;
  ::werase(stdscr);
  int row = 0;
  for (auto& line : lines) {
    auto text = line.text;
    // A marked row is marked over its whole width.
    bool wide = line.style == line_style::selected || line.style == line_style::alert;
    if (wide) text.resize(static_cast<std::size_t>(std::max(columns, 0)), ' ');
    ::wattrset(stdscr, static_cast<int>(attribute_of(line.style)));
    ::wmove(stdscr, row++, 0);
    ::waddnstr(stdscr, text.c_str(), columns);
  }
  ::wattrset(stdscr, A_NORMAL);
  ::wrefresh(stdscr);
}

std::optional<terminal_key> terminal::key(std::chrono::milliseconds patience) {
  ::wtimeout(stdscr, static_cast<int>(patience.count()));
  return key_of(::wgetch(stdscr));
}

}  // namespace lorica::admin
