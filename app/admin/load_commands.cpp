#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "app/admin/adapter_card.hpp"
#include "app/admin/commands.hpp"
#include "app/admin/job_watch.hpp"
#include "app/admin/json_text.hpp"
#include "app/admin/text_table.hpp"
#include "app/admin/wording.hpp"
#include "core/json.hpp"
#include "core/shown.hpp"

namespace lorica::admin {
namespace {

constexpr std::size_t most_declared_bytes = 16 << 20;

std::string load_body(const call& what, const value& defaults) {
  json_writer w;
  w.begin_object().key("source").string(what.argument(1));
  if (what.has("--revision")) w.key("revision").string(what.text("--revision"));
  if (what.has("--pin")) w.key("pin").boolean(true);
  if (what.has("--defaults")) {
    w.key("defaults");
    write(w, defaults);
  }
  if (what.has("--expected-version")) w.key("expected_version").string(what.text("--expected-version"));
  if (what.has("--dry-run")) w.key("dry_run").boolean(true);
  return w.end_object().take();
}

std::string preview_text(const value& preview) {
  auto out = fmt::format("{} {}, and {} into memory\n", printable(text_of(preview, "name")),
                         flag_of(preview, "changes") ? "would change" : "would stay as it is",
                         flag_of(preview, "fits") ? "fits" : "does not fit");
  for (auto& name : list_of(preview, "evicts"))
    if (name.as_string()) out += "would evict " + printable(*name.as_string()) + "\n";
  auto contents = preview.find("contents");
  return contents ? out + "\n" + contents_text(*contents, module_detail::by_kind) : out;
}

/// Waits for the end of an accepted job, unless it is not to, and says how it ended.
exit_code finish(task& t, result<value> job, on_interrupt interrupt) {
  if (!job) return t.out.refuse(job.error());
  if (!t.what.has("--no-wait")) job = watch_job(t, *std::move(job), interrupt);
  if (!job) return t.out.refuse(job.error());
  auto ending = ending_of(*job);
  if (ending == exit_code::done || t.out.json()) t.out.answer(*job, job_card(*job));
  if (ending == exit_code::done) return ending;
  auto text = job_card(*job);
  t.out.remark("lorica-admin: " + text.substr(0, text.size() - 1));
  bool ours = t.stop.once.stop_requested() && text_of(*job, "state") == "cancelled";
  return ours ? exit_code::interrupted : ending;
}

result<std::string> contents_of(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  std::string out;
  char piece[16384];
  while (in && out.size() <= most_declared_bytes) {
    in.read(piece, sizeof piece);
    out.append(piece, static_cast<std::size_t>(in.gcount()));
  }
  if (!in.eof() && out.size() <= most_declared_bytes)
    return fail(errc::bad_config, "The file '" + shown(path) + "' cannot be read");
  if (out.size() > most_declared_bytes) return fail(errc::bad_config, "The file is larger than 16 MiB");
  auto json = parse_json(out, {.max_bytes = most_declared_bytes});
  if (!json) return fail(errc::bad_config, "The file is not JSON: " + json.error().text);
  return out;
}

std::string changes_text(const value& changes) {
  text_table out({{"NAME"}, {"ACTION"}, {"JOB"}});
  for (auto& change : list_of(changes, "data"))
    out.add({text_of(change, "name"), text_of(change, "action"), text_of(change, "job", "-")});
  return out.rows() == 0 ? "No adapters, and none wanted.\n" : out.text();
}

}  // namespace

exit_code run_load(task& t) {
  auto defaults = parse_json(t.what.text("--defaults", "{}"));
  if (!defaults || !defaults->as_object())
    return t.out.refuse(fail(errc::bad_config, "--defaults must be a JSON object"));
  auto got =
      t.server.ask("PUT", adapter_target(t.what.argument(0)), load_body(t.what, *defaults), t.stop.twice);
  if (t.what.has("--dry-run")) return answer(t, got, preview_text);
  return finish(t, std::move(got), on_interrupt::cancel_job);
}

exit_code run_unload(task& t) {
  auto mode = t.what.text("--mode", "drain");
  auto seconds = t.what.number("--deadline", 0, 86'400, 30);
  if (!seconds) return t.out.refuse(seconds.error());
  if (t.what.has("--deadline") && mode != "deadline")
    return t.out.refuse(fail(errc::bad_config, "--deadline goes with --mode deadline"));
  auto target = adapter_target(t.what.argument(0), "?mode=" + mode);
  if (mode == "deadline") target += "&seconds=" + std::to_string(*seconds);
  // An abort is waited for by the server unless it is told not to.
  if (mode == "abort") target += "&wait=false";
  return finish(t, t.server.ask("DELETE", std::move(target), {}, t.stop.twice), on_interrupt::leave);
}

exit_code run_declare(task& t) {
  auto body = contents_of(t.what.argument(0));
  if (!body) return t.out.refuse(body.error());
  auto target = t.what.has("--dry-run") ? "/v1/adapters?dry_run=true" : "/v1/adapters";
  return answer(t, t.server.ask("PUT", target, *std::move(body), t.stop.once), changes_text);
}

}  // namespace lorica::admin
