#include "adapters/catalogue_record.hpp"

#include <charconv>
#include <limits>
#include <utility>

#include "adapters/names.hpp"
#include "core/field_hash.hpp"
#include "core/generation_defaults.hpp"
#include "core/json.hpp"
#include "core/shown.hpp"

namespace lorica {
namespace {

constexpr std::size_t longest_text = std::size_t{64} << 10;
// A template, a system prompt and what else there is, as JSON writes them.
constexpr std::size_t longest_defaults = std::size_t{1} << 20;
constexpr std::size_t most_ranks = 4096;

error bad_field(const catalogue_record& record, std::string_view field, std::string_view why) {
  return fail(errc::invalid,
              "the record of '" + shown(record.name) + "': " + std::string(field) + " " + std::string(why));
}

result<void> check_reference(const catalogue_record& record) {
  if (!record.current) return {};
  auto& current = *record.current;
  if (!parse_ranks(written_ranks(current.ranks)))
    return bad_field(record, "ranks", "are not distinct, ascending and positive");
  if (current.bytes > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return bad_field(record, "bytes", "are more than can be kept");
  return {};
}

result<void> check_defaults(const catalogue_record& record) {
  if (record.defaults.empty()) return {};
  if (record.defaults.size() > longest_defaults)
    return bad_field(record, "defaults",
                     "have " + std::to_string(record.defaults.size()) + " bytes; at most 1048576 are kept");
  auto parsed = parse_json(record.defaults, {.max_bytes = longest_defaults, .max_depth = 32});
  if (!parsed || !read_generation_defaults(*parsed))
    return bad_field(record, "defaults", "are no defaults of a generation");
  return {};
}

}  // namespace

std::optional<adapter_state> parse_kept_state(std::string_view word) {
  for (auto state : {adapter_state::ready, adapter_state::failed, adapter_state::unloaded})
    if (to_string(state) == word) return state;
  return std::nullopt;
}

std::string written_ranks(const std::vector<std::uint32_t>& ranks) {
  std::string out;
  for (auto rank : ranks) {
    if (!out.empty()) out += ',';
    out += std::to_string(rank);
  }
  return out;
}

std::optional<std::vector<std::uint32_t>> parse_ranks(std::string_view text) {
  std::vector<std::uint32_t> out;
  if (text.empty()) return out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    std::uint32_t rank = 0;
    auto [next, problem] = std::from_chars(at, end, rank);
    bool ascends = rank > (out.empty() ? 0 : out.back());
    // "04" is four, but nothing that was written here.
    if (problem != std::errc() || *at == '0' || !ascends || out.size() == most_ranks) return std::nullopt;
    out.push_back(rank);
    if (next == end) return out;
    if (*next != ',' || next + 1 == end) return std::nullopt;
    at = next + 1;
  }
}

result<void> check_record(const catalogue_record& record) {
  if (auto ok = check_adapter_name(record.name); !ok) return ok;
  if (!record.alias_of.empty()) {
    if (auto ok = check_adapter_name(record.alias_of); !ok) return ok;
    if (record.alias_of == record.name) return bad_field(record, "alias_of", "is the name itself");
  }
  if (!parse_kept_state(to_string(record.state)))
    return bad_field(record, "state", "is not one that is kept");
  if (record.state == adapter_state::ready && record.alias_of.empty() && !record.current)
    return bad_field(record, "state", "is ready, but there is no version");
  using field = std::pair<const char*, const std::string*>;
  for (auto [name, text] :
       {field("source", &record.source), field("revision", &record.revision),
        field("failure_reason", &record.failure_reason), field("failure_text", &record.failure_text),
        field("source of the version", record.current ? &record.current->source : &record.name)})
    if (text->size() > longest_text)
      return bad_field(record, name,
                       "has " + std::to_string(text->size()) + " bytes; at most 65536 are kept");
  if (auto ok = check_reference(record); !ok) return ok;
  return check_defaults(record);
}

std::array<std::uint8_t, 32> seal_of(const std::array<std::uint8_t, 32>& base_digest,
                                     const catalogue_record& record) {
  field_hash out;
  out.text("lorica catalogue 1");
  out.raw(std::as_bytes(std::span(base_digest)));
  for (const auto* text : {&record.name, &record.alias_of, &record.source, &record.revision, &record.defaults,
                           &record.failure_reason, &record.failure_text})
    out.text(*text);
  out.text(to_string(record.state));
  out.number(record.pinned ? 1 : 0);
  out.number(record.paused ? 1 : 0);
  out.number(static_cast<std::uint64_t>(record.created));
  out.number(record.current ? 1 : 0);
  if (!record.current) return out.finish();
  out.raw(std::as_bytes(std::span(record.current->version.digest)));
  out.text(record.current->source);
  out.text(written_ranks(record.current->ranks));
  out.number(record.current->bytes);
  return out.finish();
}

}  // namespace lorica
