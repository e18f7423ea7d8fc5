#include <algorithm>
#include <chrono>

#include "app/admin/commands.hpp"
#include "app/admin/job_watch.hpp"
#include "app/admin/text_table.hpp"
#include "app/admin/wording.hpp"

namespace lorica::admin {
namespace {

std::string outcome(const value& job) {
  auto state = text_of(job, "state");
  if (state == "running") return progress_line(job).substr(text_of(job, "kind").size() + 1);
  auto failure = job.find("error");
  if (failure) return text_of(*failure, "error_type");
  if (state != "done") return "";
  return flag_of(job, "changed") ? version_of(job) : "as before";
}

std::string table(const value& jobs) {
  text_table out({{"ID"}, {"KIND"}, {"NAME"}, {"STATE"}, {"OUTCOME"}, {"BEGAN"}, {"ENDED"}});
  for (auto& job : list_of(jobs, "data")) {
    auto ended = whole_of(job, "ended");
    out.add({text_of(job, "id"), text_of(job, "kind"), text_of(job, "name"), text_of(job, "state"),
             outcome(job), in_utc(whole_of(job, "created")), ended == 0 ? "-" : in_utc(ended)});
  }
  return out.rows() == 0 ? "No jobs.\n" : out.text();
}

}  // namespace

exit_code run_jobs(task& t) {
  auto cancelled = t.what.text("--cancel"), id = t.what.argument(0);
  if (t.what.has("--cancel") && !id.empty())
    return t.out.refuse(fail(errc::bad_config, "jobs takes ID or --cancel ID"));
  if (t.what.has("--cancel"))
    return answer(t, t.server.ask("DELETE", "/v1/adapter_jobs/" + url_part(cancelled), {}, t.stop.once),
                  job_card);
  if (id.empty()) return answer(t, t.server.get("/v1/adapter_jobs", t.stop.once), table);
  return answer(t, t.server.get("/v1/adapter_jobs/" + url_part(id), t.stop.once), job_card);
}

}  // namespace lorica::admin
