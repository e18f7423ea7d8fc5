#include "app/admin/top_screen.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/admin/text_table.hpp"
#include "app/admin/wording.hpp"

namespace lorica::admin {
namespace {

constexpr int figure_lines = 5;  // and a blank one
constexpr int most_event_lines = 6;
constexpr std::string_view keys = "t b l n sort  up down select  p pin/unpin  u unload  ? help  q quit";

constexpr std::string_view help_lines[] = {
    "t b l n    sort by traffic, bytes, last use, name (the column with a *)",
    "up down    select; also k and j, page up, page down, home, end",
    "p          pin or unpin the selected adapter",
    "u          unload it; y confirms, any other key does not",
    "?          this help; any key closes it",
    "q          quit",
    "",
    "Traffic is requests inside the server, then requests per second, then requests.",
    "Rates are over the last ten seconds; requests and their tokens count at their end.",
    "rows/s counts every token that is computed, of prompts too, as it is computed.",
};

std::string fitting(std::string_view text, int columns) {
  std::string out;
  for (char c : text.substr(0, static_cast<std::size_t>(std::max(columns, 0))))
    out += c >= ' ' && c <= '~' ? c : '?';
  return out;
}

std::string bar(double share, std::size_t width) {
  auto filled = static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(width) + 0.5);
  return "[" + std::string(filled, '#') + std::string(width - filled, '.') + "]";
}

int event_lines(screen_size size) {
  return std::clamp(size.rows / 5, 0, most_event_lines);
}

screen_line bottom_line(const top_state& s) {
  if (!s.question().empty())
    return {"Unload " + s.question() + "? Its requests run to their end. y/n", line_style::alert};
  if (!s.lost().empty()) return {s.lost() + "; trying again", line_style::alert};
  if (!s.said().empty()) return {s.said(), line_style::title};
  return {std::string(keys), line_style::faint};
}

value whole(double number) {
  return value(static_cast<std::int64_t>(number));
}

}  // namespace

int table_rows(screen_size size) {
  // Figures, a blank, titles, a title for events, events, the bottom line.
  int events = event_lines(size);
  return std::max(1, size.rows - figure_lines - 1 - 1 - (events > 0 ? events + 1 : 0) - 1);
}

std::vector<std::string> top_figures(const top_state& s) {
  auto& now = s.latest();
  auto& m = now.metrics;
  auto used = m.sum("lorica_kv_blocks_used"), blocks = m.sum("lorica_kv_blocks_total");
  auto held = m.sum("lorica_adapter_bytes"), budget = m.sum("lorica_adapter_budget_bytes");
  auto parts = m.by("lorica_memory_bytes", "part");
  auto share = [](double part, double all) { return all > 0 ? part / all : 0; };
  auto when = s.has_reading() ? in_utc(now.time) : std::string("no answer yet");
  return {
      fmt::format("lorica {}  {}  {}  {}  {}", text_of(now.info, "version"), s.place(),
                  text_of(now.info, "model_id", "-"),
                  !s.has_reading() || !s.lost().empty() ? "away"
                  : now.ready                           ? "ready"
                                                        : "not ready",
                  when),
      fmt::format("requests  {:.0f} running, {:.0f} waiting    {} req/s    {} tokens/s    {} rows/s",
                  m.sum("lorica_requests_running"), m.sum("lorica_requests_waiting"),
                  in_short(s.rates().all_requests()), in_short(s.rates().all_tokens()),
                  in_short(s.rates().rows())),
      fmt::format("KV cache  {} {:.0f} of {:.0f} blocks, {}", bar(share(used, blocks), 20), used, blocks,
                  in_bytes(parts["kv"])),
      fmt::format("adapters  {} {} of {}, {:.0f} in memory of {:.0f}, {:.0f} evictions",
                  bar(share(held, budget), 20), in_bytes(held), in_bytes(budget),
                  m.sum("lorica_adapters_resident"), m.sum("lorica_adapters_registered"),
                  m.sum("lorica_adapter_evictions_total")),
      fmt::format("memory    weights {}, KV {}, adapters {}, workspace {}", in_bytes(parts["weights"]),
                  in_bytes(parts["kv"]), in_bytes(held), in_bytes(parts["workspace"])),
  };
}

std::vector<std::string> top_table(const top_state& s) {
  using enum alignment;
  auto title = [&](const char* text, adapter_order order) {
    return std::string(text) + (s.order() == order ? "*" : "");
  };
  text_table out({{title("NAME", adapter_order::name)},
                  {"STATE"},
                  {"TIER"},
                  {title("USERS", adapter_order::requests), right},
                  {"REQ/S", right},
                  {"TOKENS/S", right},
                  {"REQUESTS", right},
                  {title("BYTES", adapter_order::bytes), right},
                  {title("LAST USED", adapter_order::last_used), right},
                  {"VERSION"},
                  {"MARKS"}});
  for (auto& row : s.rows()) {
    auto name = row.name.empty() ? std::string("(base)") : row.name;
    if (name.size() > 32) name = name.substr(0, 29) + "...";
    auto used = row.last_used == 0 ? "-" : in_time(s.latest().time - row.last_used);
    out.add({name, row.name.empty() ? "-" : row.state, row.name.empty() ? "-" : row.tier,
             row.name.empty() ? "-" : std::to_string(row.users), in_short(row.requests_per_second),
             in_short(row.tokens_per_second), std::to_string(row.requests),
             row.name.empty() ? "-" : in_bytes(row.bytes), used, row.version.substr(0, 12), row.marks});
  }
  return out.lines();
}

std::vector<screen_line> draw_top(const top_state& s, screen_size size) {
  std::vector<screen_line> out;
  if (size.rows < 1 || size.columns < 1) return out;
  auto add = [&](std::string_view text, line_style style = line_style::plain) {
    out.push_back({fitting(text, size.columns), style});
  };
  auto pad = [&](int rows) {
    while (static_cast<int>(out.size()) < rows)
      add("");
  };
  auto figures = top_figures(s);
  for (std::size_t i = 0; i < figures.size(); ++i)
    add(figures[i], i == 0 ? line_style::title : line_style::plain);
  add("");
  auto last = bottom_line(s);
  if (s.shows_help()) {
    for (auto text : help_lines)
      add(text);
  } else {
    auto table = top_table(s);
    add(table.front(), line_style::title);
    auto shown = static_cast<std::size_t>(table_rows(size));
    auto count = s.rows().size(), selected = s.selected();
    auto first = selected > shown / 2 ? selected - shown / 2 : 0;
    first = count > shown ? std::min(first, count - shown) : 0;
    for (auto i = first; i < std::min(first + shown, count); ++i)
      add(table[i + 1], i == selected ? line_style::selected : line_style::plain);
    auto lines = event_lines(size);
    pad(size.rows - lines - (lines > 0 ? 2 : 1));
    if (lines > 0) add("EVENTS", line_style::title);
    auto& events = s.events();
    auto from =
        events.size() > static_cast<std::size_t>(lines) ? events.size() - static_cast<std::size_t>(lines) : 0;
    for (auto i = from; i < events.size(); ++i)
      add(events[i]);
  }
  pad(size.rows - 1);
  // The bottom line is the one that must be seen, however small the screen.
  out.resize(static_cast<std::size_t>(size.rows - 1));
  add(last.text, last.style);
  return out;
}

value top_document(const top_state& s) {
  auto& m = s.latest().metrics;
  value::array adapters;
  for (auto& row : s.rows())
    adapters.push_back(
        value(value::object{{"name", row.name.empty() ? value() : value(row.name)},
                            {"version", row.version.empty() ? value() : value(row.version)},
                            {"state", row.name.empty() ? value() : value(row.state)},
                            {"tier", row.name.empty() ? value() : value(row.tier)},
                            {"pinned", value(row.pinned)},
                            {"users", value(row.users)},
                            {"requests", value(row.requests)},
                            {"requests_per_second", value(row.requests_per_second)},
                            {"tokens_per_second", value(row.tokens_per_second)},
                            {"bytes", whole(row.bytes)},
                            {"last_used", row.last_used == 0 ? value() : value(row.last_used)}}));
  value::object memory;
  for (auto& [part, bytes] : m.by("lorica_memory_bytes", "part"))
    memory.emplace_back(part + "_bytes", whole(bytes));
  memory.emplace_back("adapters_bytes", whole(m.sum("lorica_adapter_bytes")));
  memory.emplace_back("adapters_budget_bytes", whole(m.sum("lorica_adapter_budget_bytes")));
  return value(value::object{{"time", value(s.latest().time)},
                             {"ready", value(s.latest().ready)},
                             {"model_id", value(text_of(s.latest().info, "model_id"))},
                             {"running", whole(m.sum("lorica_requests_running"))},
                             {"waiting", whole(m.sum("lorica_requests_waiting"))},
                             {"requests_per_second", value(s.rates().all_requests())},
                             {"tokens_per_second", value(s.rates().all_tokens())},
                             {"rows_per_second", value(s.rates().rows())},
                             {"kv_blocks_used", whole(m.sum("lorica_kv_blocks_used"))},
                             {"kv_blocks_total", whole(m.sum("lorica_kv_blocks_total"))},
                             {"memory", value(std::move(memory))},
                             {"adapters", value(std::move(adapters))}});
}

}  // namespace lorica::admin
