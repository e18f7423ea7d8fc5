#include "net/adapter_reply.hpp"

#include <algorithm>

#include "core/json.hpp"
#include "core/shortest.hpp"
#include "core/shown.hpp"

namespace lorica {
namespace {

bool is_word(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

void write_version(json_writer& w, const adapter_version& version) {
  w.key("version");
  if (version == adapter_version{})
    w.null();
  else
    w.string(version.hex());
}

void write_version(json_writer& w, const std::optional<adapter_version>& version) {
  write_version(w, version.value_or(adapter_version{}));
}

void write_text_or_null(json_writer& w, std::string_view name, std::string_view text) {
  w.key(name);
  if (text.empty())
    w.null();
  else
    w.string(text);
}

void write_time_or_null(json_writer& w, std::string_view name, std::int64_t seconds) {
  w.key(name);
  if (seconds == 0)
    w.null();
  else
    w.integer(seconds);
}

void write_texts(json_writer& w, std::string_view name, const std::vector<std::string>& texts) {
  w.key(name).begin_array();
  for (auto& text : texts)
    w.string(text);
  w.end_array();
}

void write_ranks(json_writer& w, const std::vector<std::uint32_t>& ranks) {
  w.key("ranks").begin_array();
  for (auto rank : ranks)
    w.unsigned_integer(rank);
  w.end_array();
}

void write_failure(json_writer& w, const std::optional<error>& failure, audience reader) {
  w.key("error");
  if (!failure) {
    w.null();
    return;
  }
  w.begin_object().key("error_type").string(failure->reason.empty() ? "error" : failure->reason);
  if (reader == audience::administration) w.key("message").string(failure->text);
  w.end_object();
}

/// The members of a status, without the braces.
void write_members(json_writer& w, const adapter_status& a, audience reader) {
  w.key("name").string(a.name).key("object").string("adapter");
  write_text_or_null(w, "alias_of", a.alias_of);
  write_version(w, a.version);
  w.key("state").string(a.state);
  write_text_or_null(w, "tier", a.tier);
  write_ranks(w, a.ranks);
  w.key("modules").unsigned_integer(a.modules).key("bytes").unsigned_integer(a.bytes);
  w.key("leases").unsigned_integer(a.leases).key("users").unsigned_integer(a.users);
  w.key("requests").unsigned_integer(a.requests).key("hits").unsigned_integer(a.hits);
  w.key("loads").unsigned_integer(a.loads).key("pinned").boolean(a.pinned).key("paused").boolean(a.paused);
  w.key("dynamic").boolean(a.dynamic).key("created").integer(a.created);
  write_time_or_null(w, "last_used", a.last_used);
  write_text_or_null(w, "failure", a.failure);
  if (reader == audience::administration) w.key("source").string(a.source);
}

void write_contents(json_writer& w, const adapter_contents& c) {
  w.begin_object();
  write_version(w, c.version);
  write_ranks(w, c.ranks);
  w.key("bytes").unsigned_integer(c.bytes).key("file_bytes").unsigned_integer(c.file_bytes);
  w.key("parameters").unsigned_integer(c.parameters);
  w.key("modules").begin_array();
  for (auto& m : c.modules) {
    w.begin_object().key("name").string(m.name).key("kind").string(to_string(m.kind));
    w.key("rank").unsigned_integer(m.rank).key("scaling").number(shortest(m.scaling));
    w.key("update_norm");
    if (m.update_norm)
      w.number(*m.update_norm);
    else
      w.null();
    w.key("bias").boolean(m.bias).key("zero_effect").boolean(m.zero_effect).end_object();
  }
  w.end_array();
  write_texts(w, "warnings", c.warnings);
  w.end_object();
}

void write_job(json_writer& w, const adapter_job& job, audience reader) {
  w.begin_object().key("id").string(job.id).key("object").string("adapter_job");
  w.key("kind").string(to_string(job.kind)).key("name").string(job.name);
  if (reader == audience::administration && job.kind == job_kind::load) w.key("source").string(job.source);
  w.key("state").string(to_string(job.state));
  write_text_or_null(w, "stage", job.stage);
  w.key("bytes").unsigned_integer(job.bytes).key("total_bytes").unsigned_integer(job.total_bytes);
  write_failure(w, job.failure, reader);
  write_version(w, job.version);
  w.key("changed").boolean(job.changed);
  if (job.kind == job_kind::unload) {
    w.key("requests_finished").unsigned_integer(job.requests_finished);
    w.key("requests_ended").unsigned_integer(job.requests_ended);
    w.key("bytes_freed").unsigned_integer(job.bytes_freed);
  }
  w.key("created").integer(job.created);
  write_time_or_null(w, "ended", job.ended.value_or(0));
  w.end_object();
}

}  // namespace

http_reply status_reply(const adapter_status& status, audience reader) {
  json_writer w;
  w.begin_object();
  write_members(w, status, reader);
  return json_reply(200, w.end_object().take());
}

http_reply detail_reply(const adapter_detail& detail, audience reader) {
  json_writer w;
  w.begin_object();
  write_members(w, detail.status, reader);
  write_failure(w, detail.failure, reader);
  w.key("defaults");
  write_generation_defaults(w, detail.defaults);
  w.key("contents");
  if (detail.contents)
    write_contents(w, *detail.contents);
  else
    w.null();
  return json_reply(200, w.end_object().take());
}

http_reply status_list_reply(const std::vector<const adapter_status*>& shown,
                             const std::optional<std::string>& next, audience reader) {
  json_writer w;
  w.begin_object().key("object").string("list").key("data").begin_array();
  for (auto status : shown) {
    w.begin_object();
    write_members(w, *status, reader);
    w.end_object();
  }
  w.end_array();
  write_text_or_null(w, "next", next.value_or(""));
  return json_reply(200, w.end_object().take());
}

http_reply preview_reply(std::string_view name, const adapter_preview& preview) {
  json_writer w;
  w.begin_object().key("name").string(name).key("object").string("adapter_preview");
  w.key("changes").boolean(preview.changes).key("fits").boolean(preview.fits);
  write_texts(w, "evicts", preview.evicts);
  w.key("contents");
  write_contents(w, preview.contents);
  return json_reply(200, w.end_object().take());
}

http_reply job_reply(int http_status, const adapter_job& job, audience reader) {
  json_writer w;
  write_job(w, job, reader);
  auto out = json_reply(http_status, w.take());
  if (http_status == 202) out.fields.push_back({"Location", "/v1/adapter_jobs/" + job.id});
  return out;
}

http_reply job_list_reply(const std::vector<adapter_job>& jobs, audience reader) {
  json_writer w;
  w.begin_object().key("object").string("list").key("data").begin_array();
  for (auto& job : jobs)
    write_job(w, job, reader);
  return json_reply(200, w.end_array().end_object().take());
}

http_reply changes_reply(const std::vector<adapter_change>& changes, bool dry_run) {
  json_writer w;
  w.begin_object().key("object").string("list").key("dry_run").boolean(dry_run);
  w.key("data").begin_array();
  for (auto& change : changes) {
    w.begin_object().key("name").string(change.name).key("action").string(change.action);
    write_text_or_null(w, "job", change.job);
    w.end_object();
  }
  return json_reply(200, w.end_array().end_object().take());
}

// Words of others are cut: an event is never as large as the bound of a stream.
std::string event_json(const adapter_event& event, audience reader) {
  bool open = reader == audience::administration || is_word(event.because);
  json_writer w;
  w.begin_object().key("number").unsigned_integer(event.number).key("at").integer(event.at);
  w.key("kind").string(event.kind).key("name").string(event.name.substr(0, 257));
  write_version(w, event.version);
  write_text_or_null(w, "because", open ? shown(event.because) : "");
  return w.end_object().take();
}

std::string missed_json(std::uint64_t count) {
  json_writer w;
  w.begin_object().key("missed").unsigned_integer(count);
  return w.end_object().take();
}

}  // namespace lorica
