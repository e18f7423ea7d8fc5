#include "adapters/names.hpp"

#include "adapters/refusal.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "files/hub_cache.hpp"

namespace lorica {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

error bad_format(std::string_view entry, std::string_view why) {
  return fail(errc::bad_config,
              "Invalid LoRA adapter format: " + shown(entry) + " (" + std::string(why) + ")");
}

/// `path` or `org/name@revision`, as it stands after `name=`.
result<named_source> parse_source(std::string_view entry, std::string_view text) {
  auto at = text.find('@');
  named_source out{{}, std::string(trimmed(text.substr(0, at))), {}, at != std::string_view::npos};
  if (out.path.empty()) return bad_format(entry, "the path is empty");
  if (!out.only_on_hub) return out;
  out.revision = trimmed(text.substr(at + 1));
  if (!is_repository_id(out.path)) return bad_format(entry, "a local directory has no '@revision'");
  if (!is_revision(out.revision)) return bad_format(entry, "what follows '@' is no branch, tag or commit");
  return out;
}

result<named_source> parse_entry(std::string_view entry) {
  if (entry.empty()) return bad_format(entry, "an entry is empty; write name=path");
  if (std::count(entry.begin(), entry.end(), '=') > 1) return bad_format(entry, "more than one '='");
  if (std::count(entry.begin(), entry.end(), '@') > 1) return bad_format(entry, "more than one '@'");
  auto equals = entry.find('=');
  bool named = equals != std::string_view::npos;
  if (!named && (entry.front() == '/' || entry.front() == '.'))
    return bad_format(entry, "a directory needs a name; write name=path");
  auto source = parse_source(entry, named ? entry.substr(equals + 1) : entry);
  if (!source) return source;
  bool repository = is_repository_id(source->path) && source->path.find('/') != std::string::npos;
  if (!named && !repository)
    return bad_format(entry, "write name=path, or org/name for what the Hugging Face cache holds");
  source->name = named ? std::string(trimmed(entry.substr(0, equals))) : source->path;
  source->only_on_hub |= !named;
  if (auto ok = check_adapter_name(source->name); !ok) return bad_format(entry, ok.error().text);
  return source;
}

}  // namespace

result<std::vector<named_source>> parse_adapter_list(std::string_view text) {
  std::vector<named_source> out;
  std::unordered_set<std::string> seen;
  if (trimmed(text).empty()) return out;
  for (std::size_t begin = 0; begin <= text.size();) {
    auto end = std::min(text.find(',', begin), text.size());
    auto entry = parse_entry(trimmed(text.substr(begin, end - begin)));
    if (!entry) return entry.error();
    if (!seen.insert(entry->name).second)
      return fail(errc::bad_config, "LoRA adapter '" + entry->name + "' is listed twice");
    out.push_back(std::move(*entry));
    begin = end + 1;
  }
  return out;
}

}  // namespace lorica
