#include "app/admin/adapter_card.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <tuple>
#include <vector>

#include "app/admin/adapter_order.hpp"
#include "app/admin/commands.hpp"
#include "app/admin/json_text.hpp"
#include "app/admin/task.hpp"
#include "app/admin/text_table.hpp"
#include "app/admin/wording.hpp"

namespace lorica::admin {
namespace {

std::string line(std::string_view name, std::string_view text) {
  return fmt::format("{:<10} {}\n", name, printable(text));
}

/// `model.layers.3.self_attn.q_proj` is kind `self_attn.q_proj` in layer 3; others have none.
struct module_place {
  std::string kind;
  std::int64_t layer = -1;
};

module_place place_of(const std::string& module) {
  constexpr std::string_view mark = "layers.";
  auto at = module.find(mark);
  if (at == std::string::npos) return {module, -1};
  auto digits = module.c_str() + at + mark.size();
  auto last = module.c_str() + module.size();
  std::int64_t layer = 0;
  auto [end, failed] = std::from_chars(digits, last, layer);
  if (failed != std::errc() || end == last || *end != '.' || layer < 0) return {module, -1};
  return {std::string(end + 1, last), layer};
}

/// `0-3, 7` of sorted numbers.
std::string ranges(std::vector<std::int64_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::string out;
  for (std::size_t i = 0; i < numbers.size();) {
    auto end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1)
      ++end;
    out += out.empty() ? "" : ", ";
    out += end - i == 1 ? std::to_string(numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[end - 1]);
    i = end;
  }
  return out.empty() ? "-" : out;
}

std::string span_text(double least, double most) {
  auto low = fmt::format("{:.3g}", least), high = fmt::format("{:.3g}", most);
  return low == high ? low : low + " to " + high;
}

struct module_group {
  std::vector<std::int64_t> layers;
  double least = 0, most = 0;
  std::size_t count = 0, without_effect = 0;
};

std::string gathered_modules(const value::array& modules) {
  std::map<std::tuple<std::string, double, double>, module_group> groups;
  for (auto& m : modules) {
    auto where = place_of(text_of(m, "name"));
    auto& group = groups[{where.kind, number_of(m, "rank"), number_of(m, "scaling")}];
    auto norm = number_of(m, "update_norm");
    group.least = group.count == 0 ? norm : std::min(group.least, norm);
    group.most = std::max(group.most, norm);
    ++group.count;
    if (flag_of(m, "zero_effect")) ++group.without_effect;
    if (where.layer >= 0) group.layers.push_back(where.layer);
  }
  using enum alignment;
  text_table out(
      {{"MODULE"}, {"LAYERS"}, {"RANK", right}, {"SCALING", right}, {"NORM AT MOST"}, {"NO EFFECT", right}});
  for (auto& [key, group] : groups)
    out.add({std::get<0>(key), ranges(group.layers), fmt::format("{:.0f}", std::get<1>(key)),
             fmt::format("{:.4g}", std::get<2>(key)), span_text(group.least, group.most),
             group.without_effect == 0 ? "-" : std::to_string(group.without_effect)});
  return out.text();
}

std::string each_module(const value::array& modules) {
  using enum alignment;
  text_table out({{"MODULE"}, {"RANK", right}, {"SCALING", right}, {"NORM AT MOST", right}, {"EFFECT"}});
  for (auto& m : modules)
    out.add({text_of(m, "name"), fmt::format("{:.0f}", number_of(m, "rank")),
             fmt::format("{:.4g}", number_of(m, "scaling")),
             fmt::format("{:.3g}", number_of(m, "update_norm")), flag_of(m, "zero_effect") ? "none" : "yes"});
  return out.text();
}

}  // namespace

std::string contents_text(const value& contents, module_detail detail) {
  auto& modules = list_of(contents, "modules");
  std::string out;
  out += line("version", text_of(contents, "version", "-"));
  out += line("ranks", ranks_of(contents));
  out += line("in memory", in_bytes(number_of(contents, "bytes")));
  out += line("file", in_bytes(number_of(contents, "file_bytes")));
  out += line("parameters", fmt::format("{:.0f}", number_of(contents, "parameters")));
  out += line("modules", std::to_string(modules.size()));
  for (auto& warning : list_of(contents, "warnings"))
    if (warning.as_string()) out += line("warning", *warning.as_string());
  if (modules.empty()) return out;
  return out + "\n" + (detail == module_detail::each ? each_module(modules) : gathered_modules(modules));
}

std::string adapter_card(const value& a, module_detail detail, std::int64_t now) {
  std::string out;
  out += line("name", text_of(a, "name"));
  out += line("state", text_of(a, "state"));
  out += line("version", text_of(a, "version", "-"));
  out += line("tier", text_of(a, "tier", "-"));
  if (auto source = text_of(a, "source"); !source.empty()) out += line("source", source);
  if (auto marks = marks_of(a); !marks.empty()) out += line("marks", marks);
  out += line("memory", in_bytes(number_of(a, "bytes")));
  out += line("requests", fmt::format("{} since the start, {} found it in memory, {} inside now, {} hold it",
                                      whole_of(a, "requests"), whole_of(a, "hits"), whole_of(a, "users"),
                                      whole_of(a, "leases")));
  out += line("loads", std::to_string(whole_of(a, "loads")));
  out += line("created", in_utc(whole_of(a, "created")));
  auto used = whole_of(a, "last_used");
  out += line("last used", used == 0 ? "never" : in_utc(used) + ", " + in_time(now - used) + " ago");
  auto defaults = a.find("defaults");
  if (defaults && defaults->as_object() && !defaults->as_object()->empty())
    out += line("defaults", json_text(*defaults));
  if (auto failure = a.find("error"))
    out += line("failure", text_of(*failure, "error_type") + ": " +
                               text_of(*failure, "message", "the words are for the administration's key"));
  auto contents = a.find("contents");
  if (!contents)
    return out + "\nWhat its files hold is not known: they were not read since the server started.\n";
  return out + "\nWhat its files hold\n" + contents_text(*contents, detail);
}

exit_code run_show(task& t) {
  auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  auto detail = t.what.has("--modules") ? module_detail::each : module_detail::by_kind;
  auto got = t.server.get(adapter_target(t.what.argument(0)), t.stop.once);
  return answer(t, got, [&](const value& a) { return adapter_card(a, detail, now); });
}

}  // namespace lorica::admin
