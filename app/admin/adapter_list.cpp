#include <algorithm>
#include <chrono>

#include "app/admin/adapter_order.hpp"
#include "app/admin/commands.hpp"
#include "app/admin/task.hpp"
#include "app/admin/text_table.hpp"
#include "app/admin/wording.hpp"
#include "core/adapter_name.hpp"

namespace lorica::admin {
namespace {

/// For shells, which would expand other words: nothing but what is a name.
std::string names(const value::array& adapters) {
  std::string out;
  for (auto& a : adapters)
    if (auto name = text_of(a, "name"); check_adapter_name(name)) out += name + "\n";
  return out;
}

std::string table(const value::array& adapters) {
  using enum alignment;
  text_table out({{"NAME"},
                  {"VERSION"},
                  {"STATE"},
                  {"TIER"},
                  {"RANKS"},
                  {"BYTES", right},
                  {"USERS", right},
                  {"REQUESTS", right},
                  {"HITS", right},
                  {"LOADS", right},
                  {"LAST USED"},
                  {"MARKS"}});
  auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  auto count = [](const value& a, std::string_view name) { return std::to_string(whole_of(a, name)); };
  for (auto& a : adapters) {
    auto used = whole_of(a, "last_used");
    out.add({text_of(a, "name"), version_of(a), text_of(a, "state"), text_of(a, "tier", "-"), ranks_of(a),
             in_bytes(number_of(a, "bytes")), count(a, "users"), count(a, "requests"), count(a, "hits"),
             count(a, "loads"), used == 0 ? "never" : in_time(now - used) + " ago", marks_of(a)});
  }
  return adapters.empty() ? "No adapters.\n" : out.text();
}

}  // namespace

exit_code run_list(task& t) {
  auto state = t.what.text("--state");
  auto adapters = t.server.adapters(state.empty() ? "" : "state=" + state, t.stop.once);
  if (!adapters) return t.out.refuse(adapters.error());
  auto order = adapter_order_of(t.what.text("--sort", "name"));
  std::stable_sort(adapters->begin(), adapters->end(),
                   [&](auto& a, auto& b) { return comes_before(a, b, order); });
  auto text = t.out.json() ? std::string() : t.what.has("--names") ? names(*adapters) : table(*adapters);
  t.out.answer(
      value(value::object{{"object", value(std::string("list"))}, {"data", value(*std::move(adapters))}}),
      text);
  return exit_code::done;
}

}  // namespace lorica::admin
