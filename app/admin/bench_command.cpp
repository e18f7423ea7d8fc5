#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "app/admin/commands.hpp"
#include "app/admin/task.hpp"
#include "app/admin/text_table.hpp"
#include "app/admin/wording.hpp"
#include "core/json.hpp"

namespace lorica::admin {
namespace {

constexpr std::chrono::milliseconds between_tries{10};

/// Milliseconds from the request to its first event, of every run.
using times = std::vector<double>;

std::string body_of(const std::string& prompt, const std::string& adapter) {
  json_writer w;
  w.begin_object().key("inputs").string(prompt).key("parameters").begin_object();
  w.key("max_new_tokens").integer(1).key("do_sample").boolean(false);
  if (!adapter.empty()) w.key("adapter_id").string(adapter);
  return w.end_object().end_object().take();
}

/// One request; the server must have found the adapter in `tier` (empty: any).
result<double> first_token(task& t, const std::string& body, std::string_view tier) {
  auto begun = std::chrono::steady_clock::now();
  std::optional<double> took;
  std::string failure;
  auto take = [&](const value& event) {
    if (!took)
      took = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
    if (event.find("error")) failure = text_of(event, "error");
    return stream_wish::more;
  };
  auto reply = t.server.follow(
      {.method = "POST", .target = "/generate_stream", .body = body, .accept = "text/event-stream"}, take,
      t.stop.once);
  if (!reply) return reply.error();
  if (!failure.empty()) return fail(errc::invalid, failure);
  if (!took) return fail(errc::malformed, "The stream ended without a token");
  auto found = reply->field("x-adapter-tier");
  if (!tier.empty() && found != tier)
    return fail(
        errc::conflict,
        fmt::format("The adapter was found in {} instead of {}: somebody else uses it, or there is no "
                    "room for it; such a time says nothing",
                    found.empty() ? "nothing" : found, tier));
  return *took;
}

/// The last request gives its adapter back a moment after its end, so a refusal is not the last word at once.
result<void> evict(task& t, const std::string& name) {
  auto last = std::chrono::steady_clock::now() + t.address.timeout;
  for (;;) {
    auto gone = t.server.ask("POST", adapter_target(name, "/evict"), {}, t.stop.once);
    if (gone) return {};
    bool again = gone.error().reason == "memory_in_use" && std::chrono::steady_clock::now() < last;
    if (!again) return gone.error();
    if (!t.stop.pause(between_tries)) return fail(errc::cancelled, "Interrupted");
  }
}

result<times> measure(task& t, const char* what, const std::string& body, std::string_view tier,
                      std::uint64_t runs, const std::string& evicted) {
  times out;
  for (std::uint64_t i = 0; i < runs; ++i) {
    t.out.progress(fmt::format("{} {} of {}", what, i + 1, runs));
    if (!evicted.empty())
      if (auto gone = evict(t, evicted); !gone) return gone.error();
    auto took = first_token(t, body, tier);
    if (!took) return took.error();
    out.push_back(*took);
  }
  return out;
}

double median(times all) {
  std::sort(all.begin(), all.end());
  auto middle = all.size() / 2;
  return all.size() % 2 == 1 ? all[middle] : (all[middle - 1] + all[middle]) / 2;
}

void add(text_table& table, value::object& document, const std::string& name, const times& all) {
  std::string each;
  value::array list;
  for (auto one : all) {
    each += fmt::format("{}{:.1f}", each.empty() ? "" : " ", one);
    list.push_back(value(one));
  }
  auto [least, most] = std::minmax_element(all.begin(), all.end());
  table.add({name, fmt::format("{:.1f}", median(all)), fmt::format("{:.1f}", *least),
             fmt::format("{:.1f}", *most), each});
  document.emplace_back(name, value(value::object{{"median_ms", value(median(all))},
                                                  {"least_ms", value(*least)},
                                                  {"most_ms", value(*most)},
                                                  {"each_ms", value(std::move(list))}}));
}

}  // namespace

exit_code run_bench_adapter(task& t) {
  auto runs = t.what.number("--runs", 1, 10'000, 10);
  if (!runs) return t.out.refuse(runs.error());
  auto name = t.what.argument(0), prompt = t.what.text("--prompt", "Once upon a time");
  auto adapter = t.server.get(adapter_target(name), t.stop.once);
  if (!adapter) return t.out.refuse(adapter.error());
  if (flag_of(*adapter, "pinned"))
    return t.out.refuse(fail(errc::conflict, "The adapter is pinned and stays in memory; unpin it first"));
  auto with = body_of(prompt, name), without = body_of(prompt, "");
  // The first request of all opens the connection and is not counted.
  auto ready = first_token(t, without, "");
  if (!ready) return t.out.refuse(ready.error());
  using enum alignment;
  text_table table({{"FIRST TOKEN"}, {"MEDIAN ms", right}, {"LEAST", right}, {"MOST", right}, {"EACH"}});
  value::object document{{"name", value(name)}, {"version", value(text_of(*adapter, "version"))}};
  // After the cold ones the adapter is in memory, so the warm ones come next.
  struct kind {
    const char* name;
    const std::string& body;
    std::string_view tier;
    std::string evicted;
  };
  auto cold_tier = text_of(*adapter, "tier") == "hub" ? "hub" : "disk";
  for (auto& k : {kind{"cold", with, cold_tier, name}, kind{"warm", with, "device", ""},
                  kind{"base", without, "", ""}}) {
    auto got = measure(t, k.name, k.body, k.tier, *runs, k.evicted);
    if (!got) return t.out.refuse(got.error());
    add(table, document, k.name, *got);
  }
  t.out.answer(value(std::move(document)), table.text());
  return exit_code::done;
}

}  // namespace lorica::admin
