#include "adapters/adapter_origin.hpp"

#include "files/hub_cache.hpp"

namespace lorica {
namespace {

constexpr std::string_view prefix_of(adapter_origin::kind k) noexcept {
  switch (k) {
    case adapter_origin::kind::path: return "path:";
    case adapter_origin::kind::root: return "root:";
    case adapter_origin::kind::hub: return "hub:";
    default: return "found:";
  }
}

}  // namespace

std::string adapter_origin::written() const {
  return std::string(prefix_of(where)) + text;
}

std::optional<adapter_origin> parse_origin(std::string_view written) {
  using enum adapter_origin::kind;
  for (auto k : {path, root, hub, found})
    if (written.starts_with(prefix_of(k)))
      return adapter_origin{k, std::string(written.substr(prefix_of(k).size()))};
  return std::nullopt;
}

origin_choice choose_origin(std::string_view source, std::string_view revision) {
  origin_choice out;
  auto at = source.find('@');
  auto id = source.substr(0, at);
  auto asked = at == std::string_view::npos ? revision : source.substr(at + 1);
  if (asked.empty()) asked = "main";
  bool contradicts = at != std::string_view::npos && !revision.empty() && asked != revision;
  if (is_repository_id(id) && is_revision(asked) && !contradicts)
    out.hub = adapter_origin{adapter_origin::kind::hub, std::string(id) + "@" + std::string(asked)};
  bool says_revision = at != std::string_view::npos || !revision.empty();
  if (!source.empty() && !(says_revision && out.hub) && revision.empty())
    out.root = adapter_origin{adapter_origin::kind::root, std::string(source)};
  return out;
}

}  // namespace lorica
