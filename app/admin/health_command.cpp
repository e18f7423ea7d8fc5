#include <fmt/format.h>

#include "app/admin/commands.hpp"
#include "app/admin/metric_sample.hpp"
#include "app/admin/task.hpp"
#include "app/admin/wording.hpp"

namespace lorica::admin {
namespace {

value whole(double number) {
  return value(static_cast<std::int64_t>(number));
}

value text(std::string words) {
  return value(std::move(words));
}

value memory_of(const metric_sample& m) {
  value::object out;
  for (auto& [part, bytes] : m.by("lorica_memory_bytes", "part"))
    out.emplace_back(part + "_bytes", whole(bytes));
  out.emplace_back("adapters_bytes", whole(m.sum("lorica_adapter_bytes")));
  out.emplace_back("adapters_budget_bytes", whole(m.sum("lorica_adapter_budget_bytes")));
  return value(std::move(out));
}

value document(bool ready, const value& info, const metric_sample& m) {
  value::object requests{{"running", whole(m.sum("lorica_requests_running"))},
                         {"waiting", whole(m.sum("lorica_requests_waiting"))},
                         {"inside", whole(m.sum("lorica_sessions"))}};
  value::object kv{{"blocks_used", whole(m.sum("lorica_kv_blocks_used"))},
                   {"blocks_total", whole(m.sum("lorica_kv_blocks_total"))}};
  value::object adapters{{"registered", whole(m.sum("lorica_adapters_registered"))},
                         {"resident", whole(m.sum("lorica_adapters_resident"))},
                         {"leases", whole(m.sum("lorica_adapter_leases"))}};
  return value(value::object{{"live", value(true)},
                             {"ready", value(ready)},
                             {"model_id", text(text_of(info, "model_id"))},
                             {"version", text(text_of(info, "version"))},
                             {"commit", text(text_of(info, "sha"))},
                             {"dtype", text(text_of(info, "model_dtype"))},
                             {"device", text(text_of(info, "model_device_type"))},
                             {"isa", text(text_of(info, "isa"))},
                             {"max_total_tokens", whole(number_of(info, "max_total_tokens"))},
                             {"requests", value(std::move(requests))},
                             {"kv", value(std::move(kv))},
                             {"adapters", value(std::move(adapters))},
                             {"memory", memory_of(m)}});
}

std::string words(const value& d) {
  auto& requests = *d.find("requests");
  auto& kv = *d.find("kv");
  auto& adapters = *d.find("adapters");
  auto& memory = *d.find("memory");
  auto used = number_of(kv, "blocks_used"), all = number_of(kv, "blocks_total");
  std::string out;
  auto line = [&](std::string_view name, const std::string& said) {
    out += fmt::format("{:<10} {}\n", name, printable(said));
  };
  line("state", flag_of(d, "ready") ? "ready" : "live, not ready (starting, draining or failed)");
  line("model", fmt::format("{} ({}, {})", text_of(d, "model_id"), text_of(d, "device"), text_of(d, "isa")));
  line("version", fmt::format("{} ({})", text_of(d, "version"), text_of(d, "commit")));
  line("requests",
       fmt::format("{} running, {} waiting", whole_of(requests, "running"), whole_of(requests, "waiting")));
  line("KV cache",
       fmt::format("{:.0f} of {:.0f} blocks ({:.0f} %)", used, all, all > 0 ? 100 * used / all : 0));
  line("adapters", fmt::format("{} registered, {} in memory, {} leases", whole_of(adapters, "registered"),
                               whole_of(adapters, "resident"), whole_of(adapters, "leases")));
  line("memory",
       fmt::format("weights {}, KV {}, workspace {}, adapters {} of {}",
                   in_bytes(number_of(memory, "weights_bytes")), in_bytes(number_of(memory, "kv_bytes")),
                   in_bytes(number_of(memory, "workspace_bytes")),
                   in_bytes(number_of(memory, "adapters_bytes")),
                   in_bytes(number_of(memory, "adapters_budget_bytes"))));
  return out;
}

}  // namespace

exit_code run_health(task& t) {
  auto health = t.server.text("/health", t.stop.once);
  bool live = health || health.error().code == errc::unavailable;
  if (!live) return t.out.refuse(health.error());
  auto info = t.server.get("/info", t.stop.once);
  if (!info) return t.out.refuse(info.error());
  auto metrics = t.server.text("/metrics", t.stop.once);
  if (!metrics) return t.out.refuse(metrics.error());
  auto d = document(health.has_value(), *info, metric_sample::read(*metrics));
  t.out.answer(d, words(d));
  return health ? exit_code::done : exit_code::refused;
}

}  // namespace lorica::admin
