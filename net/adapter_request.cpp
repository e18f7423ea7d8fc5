#include "net/adapter_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "core/adapter_name.hpp"
#include "core/json.hpp"
#include "net/field_reader.hpp"
#include "net/model_name.hpp"
#include "net/query.hpp"

namespace lorica {
namespace {

constexpr std::size_t most_declared = 10'000;
constexpr std::uint32_t longest_page = 1000;
constexpr std::uint32_t longest_deadline = 86'400;  // seconds

bool is_version_prefix(std::string_view text) {
  return text.size() >= 12 && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

/// A switch that may stand in the query or in the body.
bool either(query_reader& query, field_reader& fields, std::string_view name) {
  auto asked = query.boolean(name);
  auto said = fields.boolean(name);
  fields.demand(!asked || !said, name,
                fmt::format("`{}` is in the query and in the body; give one of them", name));
  return asked.value_or(false) || said.value_or(false);
}

void read_defaults(field_reader& fields, const server_info& info, adapter_load& into) {
  auto given = fields.raw("defaults");
  if (!given) return;
  auto read = read_generation_defaults(*given);
  if (!read) return fields.refuse(read.error());
  auto& d = *read;
  fields.demand(d.max_new_tokens.value_or(1) <= info.max_total_tokens, "defaults.max_new_tokens",
                fmt::format("`defaults.max_new_tokens` must be <= {}", info.max_total_tokens));
  fields.demand(!d.stop || d.stop->size() <= info.max_stop_sequences, "defaults.stop",
                fmt::format("`defaults.stop` supports up to {} stop sequences", info.max_stop_sequences));
  into.defaults = *std::move(read);
}

void read_source(field_reader& fields, adapter_load& into) {
  into.source = fields.text("source").value_or("");
  into.revision = fields.text("revision").value_or("");
  into.pin = fields.boolean("pin");
}

void demand_source(field_reader& fields, const adapter_load& load) {
  fields.demand(!load.source.empty(), "source",
                "`source` is missing; it is a path below an allowed root, or org/name of the Hub");
}

void read_alias(field_reader& fields, put_request& into) {
  auto target = fields.text("alias_of");
  if (!target) return;
  into.alias_of = *std::move(target);
  fields.demand(check_adapter_name(into.alias_of).has_value(), "alias_of",
                "`alias_of` must be the name of an adapter");
  fields.demand(into.alias_of != into.load.name, "alias_of", "`alias_of` must be another name");
  for (auto name : {"source", "revision", "pin", "defaults", "expected_version"})
    fields.demand(!fields.raw(name), name, fmt::format("`{}` cannot stand beside `alias_of`", name));
  fields.demand(!into.dry_run, "dry_run", "`dry_run` cannot stand beside `alias_of`");
}

void read_expected_version(field_reader& fields, adapter_load& into) {
  auto given = fields.text("expected_version");
  if (!given) return;
  fields.demand(
      given->empty() || is_version_prefix(*given), "expected_version",
      "`expected_version` must be 12 to 64 hex digits in lower case, or empty for a name that is new");
  into.expected_version = *std::move(given);
}

error in_entry(error why, std::size_t index) {
  why.text += fmt::format(" (adapters[{}])", index);
  why.param = fmt::format("adapters[{}].{}", index, why.param);
  return why;
}

result<adapter_load> read_entry(const value& entry, const server_info& info) {
  field_reader fields(&entry);
  fields.demand(entry.as_object() != nullptr, "name", "each of `adapters` must be an object");
  fields.only({"name", "source", "revision", "pin", "defaults"});
  adapter_load out;
  out.name = fields.text("name").value_or("");
  fields.demand(!out.name.empty(), "name", "`name` is missing");
  read_source(fields, out);
  read_defaults(fields, info, out);
  demand_source(fields, out);
  if (fields.refusal()) return *fields.refusal();
  if (auto fit = check_new_name(out.name, info, "name"); !fit) return fit.error();
  return out;
}

}  // namespace

result<value> read_object(const http_request& request) {
  auto body = parse_json(request.body, {.max_bytes = request.body.size() + 1});
  if (body && !body->as_object()) return fail(errc::malformed, "The body must be a JSON object");
  return body;
}

result<void> check_new_name(std::string_view name, const server_info& info, std::string_view param) {
  auto why = [&](std::string text) {
    return fail(errc::invalid, std::move(text), "invalid_name", std::string(param));
  };
  if (auto fit = check_adapter_name(name); !fit) return why(fit.error().text);
  if (means_base(name, info))
    return why("adapter name '" + std::string(name) + "' means the base model; choose another one");
  return {};
}

result<put_request> read_put_request(const http_request& request, std::string name, const server_info& info) {
  if (auto fit = check_new_name(name, info, "name"); !fit) return fit.error();
  query_reader query(request.query(), {"wait", "dry_run"});
  if (query.refusal()) return *query.refusal();
  auto body = read_object(request);
  if (!body) return body.error();
  field_reader fields(&*body);
  fields.only({"source", "revision", "pin", "defaults", "dry_run", "expected_version", "wait", "alias_of"});
  put_request out;
  out.load.name = std::move(name);
  out.dry_run = either(query, fields, "dry_run");
  out.when = either(query, fields, "wait") ? answer_when::ended : answer_when::accepted;
  read_source(fields, out.load);
  read_defaults(fields, info, out.load);
  read_expected_version(fields, out.load);
  read_alias(fields, out);
  if (out.alias_of.empty()) demand_source(fields, out.load);
  if (query.refusal()) return *query.refusal();
  if (fields.refusal()) return *fields.refusal();
  return out;
}

result<delete_request> read_delete_request(const http_request& request, std::string name) {
  if (!request.body.empty())
    return fail(errc::invalid, "A deletion has no body; `mode` and `wait` are parameters");
  query_reader query(request.query(), {"mode", "seconds", "wait"});
  delete_request out;
  out.unload.name = std::move(name);
  auto mode = query.text("mode").value_or("drain");
  query.demand(mode == "drain" || mode == "deadline" || mode == "abort", "mode",
               "`mode` must be drain, deadline or abort");
  if (mode == "deadline") out.unload.mode = unload_mode::deadline;
  if (mode == "abort") out.unload.mode = unload_mode::abort;
  auto seconds = query.number("seconds", 0, longest_deadline);
  query.demand(!seconds || mode == "deadline", "seconds", "`seconds` goes with mode=deadline only");
  out.unload.deadline_seconds = seconds.value_or(out.unload.deadline_seconds);
  bool wait = query.boolean("wait").value_or(mode == "abort");
  out.when = wait ? answer_when::ended : answer_when::accepted;
  if (query.refusal()) return *query.refusal();
  return out;
}

result<declare_request> read_declare_request(const http_request& request, const server_info& info) {
  query_reader query(request.query(), {"dry_run"});
  auto body = read_object(request);
  if (!body) return body.error();
  field_reader fields(&*body);
  fields.only({"adapters", "dry_run"});
  declare_request out;
  if (either(query, fields, "dry_run")) out.mode = declare_mode::compare;
  auto list = fields.raw("adapters");
  auto entries = list ? list->as_array() : nullptr;
  fields.demand(entries != nullptr, "adapters",
                "`adapters` must be a list of objects; an empty one unloads all");
  fields.demand(!entries || entries->size() <= most_declared, "adapters",
                fmt::format("`adapters` must have at most {} entries", most_declared));
  if (query.refusal()) return *query.refusal();
  if (fields.refusal()) return *fields.refusal();
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < entries->size(); ++i) {
    auto entry = read_entry((*entries)[i], info);
    if (!entry) return in_entry(entry.error(), i);
    if (!seen.insert(entry->name).second)
      return in_entry(
          fail(errc::invalid, "adapter name '" + entry->name + "' is there twice", "repeated_name", "name"),
          i);
    out.wanted.push_back(*std::move(entry));
  }
  return out;
}

result<list_request> read_list_request(const http_request& request) {
  query_reader query(request.query(), {"state", "limit", "after"});
  list_request out{query.text("state"), query.text("after"), query.number("limit", 1, longest_page)};
  query.demand(!out.state || *out.state == "loading" || *out.state == "ready" || *out.state == "failed",
               "state", "`state` must be loading, ready or failed");
  if (query.refusal()) return *query.refusal();
  return out;
}

result<void> expect_bare(const http_request& request) {
  query_reader query(request.query(), {});
  if (query.refusal()) return *query.refusal();
  if (request.body.empty()) return {};
  auto body = read_object(request);
  if (!body) return body.error();
  field_reader fields(&*body);
  fields.only({});
  if (fields.refusal()) return *fields.refusal();
  return {};
}

}  // namespace lorica
