#include "actors/vllm_series.hpp"

#include <fmt/core.h>

#include <algorithm>

namespace lorica {
namespace {

void add_gauge(std::string& out, std::string_view name, std::string_view help, double value) {
  out += fmt::format("# HELP vllm:{0} {1}\n# TYPE vllm:{0} gauge\nvllm:{0} {2}\n", name, help, value);
}

void add_counter(std::string& out, std::string_view name, std::string_view help, std::uint64_t value) {
  out += fmt::format("# HELP vllm:{0} {1}\n# TYPE vllm:{0} counter\nvllm:{0} {2}\n", name, help, value);
}

void add_name(std::string& list, const std::string& name) {
  if (!list.empty()) list += ',';
  list += name;
}

}  // namespace

std::string vllm_series(const scheduler_facts& scheduler, const adapters_facts& adapters) {
  std::string running, waiting;
  for (auto& a : adapters.adapters) {
    if (a.users == 0 || !a.alias_of.empty()) continue;
    add_name(a.leases > 0 ? running : waiting, a.name);
  }
  auto fits =
      adapters.resident == 0
          ? adapters.adapters.size()
          : adapters.budget_bytes / std::max<std::uint64_t>(adapters.resident_bytes / adapters.resident, 1);
  auto share = scheduler.blocks_total == 0
                   ? 0.0
                   : static_cast<double>(scheduler.blocks_used) / static_cast<double>(scheduler.blocks_total);
  std::string out;
  add_gauge(out, "num_requests_running", "As lorica_requests_running.",
            static_cast<double>(scheduler.running));
  add_gauge(out, "num_requests_waiting", "As lorica_requests_waiting.",
            static_cast<double>(scheduler.waiting));
  add_gauge(out, "kv_cache_usage_perc", "Share of the KV blocks in use, 0 to 1.", share);
  add_gauge(out, "gpu_cache_usage_perc", "As vllm:kv_cache_usage_perc.", share);
  add_counter(out, "prefix_cache_queries_total", "As lorica_prefix_cache_queries_total.",
              scheduler.prefix_queries);
  add_counter(out, "prefix_cache_hits_total", "As lorica_prefix_cache_hits_total.", scheduler.prefix_hits);
  out += fmt::format(
      "# HELP vllm:lora_requests_info Adapters that run and wait; the value is the time.\n"
      "# TYPE vllm:lora_requests_info gauge\n"
      "vllm:lora_requests_info{{max_lora=\"{}\",running_lora_adapters=\"{}\",waiting_lora_adapters=\"{}\"}} "
      "{}\n",
      fits, running, waiting, static_cast<double>(adapters.at) / 1000);
  return out;
}

}  // namespace lorica
