#include "net/reply_fields.hpp"

#include <string>

namespace lorica {
namespace {

void write_adapter(json_writer& w, const served_adapter& adapter) {
  w.begin_object().key("id").string(adapter.name).key("version").string(adapter.version.short_hex());
  w.key("tier").string(adapter.tier).end_object();
}

}  // namespace

std::vector<http_field> served_fields(const served_by& served) {
  std::vector<http_field> out;
  if (served.fallback) out.push_back({"x-adapter-fallback", "base"});
  if (served.adapters.empty()) return out;
  std::string names, versions, tiers, sources;
  for (auto& adapter : served.adapters) {
    auto comma = names.empty() ? "" : ",";
    names.append(comma).append(adapter.name);
    versions.append(comma).append(adapter.version.short_hex());
    tiers.append(comma).append(adapter.tier);
    sources.append(comma).append(adapter.source);
  }
  out.push_back({"x-adapter-id", names});
  out.push_back({"x-adapter-version", versions});
  out.push_back({"x-adapter-tier", tiers});
  out.push_back({"x-adapter-source", sources});
  return out;
}

std::vector<http_field> started_fields(const generation_started& facts) {
  auto out = served_fields(facts.served);
  out.push_back({"x-prompt-tokens", std::to_string(facts.prompt_tokens)});
  return out;
}

void write_served(json_writer& w, const served_by& served) {
  if (served.fallback) w.key("adapter_fallback").string("base");
  if (served.adapters.size() == 1) {
    w.key("adapter");
    write_adapter(w, served.adapters[0]);
  }
  if (served.adapters.size() < 2) return;
  w.key("adapters").begin_array();
  for (auto& adapter : served.adapters)
    write_adapter(w, adapter);
  w.end_array();
}

}  // namespace lorica
