#include "app/admin/job_watch.hpp"

#include <fmt/format.h>

#include "app/admin/wording.hpp"

namespace lorica::admin {
namespace {

constexpr std::chrono::milliseconds between_looks{150};

/// Tells the server; a load that is too far is left to its end.
void cancel(task& t, const std::string& id) {
  t.out.remark("Cancelling; Ctrl-C again leaves");
  auto got = t.server.ask("DELETE", "/v1/adapter_jobs/" + url_part(id), {}, t.stop.twice);
  if (!got) t.out.remark("It cannot be cancelled: " + got.error().text);
}

}  // namespace

std::string progress_line(const value& job) {
  auto out =
      fmt::format("{} {}  {}", text_of(job, "kind"), text_of(job, "name"), text_of(job, "stage", "begins"));
  auto done = number_of(job, "bytes"), all = number_of(job, "total_bytes");
  if (all > 0) return out + fmt::format("  {} of {}", in_bytes(done), in_bytes(all));
  return done > 0 ? out + "  " + in_bytes(done) : out;
}

result<value> watch_job(task& t, value job, on_interrupt what) {
  auto id = text_of(job, "id");
  interruption patience = t.stop;
  while (text_of(job, "state") == "running") {
    t.out.progress(progress_line(job));
    if (!patience.pause(between_looks)) {
      bool last = what == on_interrupt::leave || t.stop.twice.stop_requested();
      if (last) return fail(errc::cancelled, "Interrupted; the job " + id + " goes on");
      cancel(t, id);
      patience.once = t.stop.twice;
    }
    auto got = t.server.get("/v1/adapter_jobs/" + url_part(id), t.stop.twice);
    if (!got) return got;
    job = *std::move(got);
  }
  return job;
}

std::string job_card(const value& job) {
  auto kind = text_of(job, "kind"), state = text_of(job, "state"), name = printable(text_of(job, "name"));
  if (state == "running")
    return fmt::format("{}\njob {}\n", printable(progress_line(job)), printable(text_of(job, "id")));
  if (state == "failed") {
    auto failure = job.find("error");
    auto word = failure ? text_of(*failure, "error_type") : "error";
    auto said = failure ? text_of(*failure, "message") : "";
    return fmt::format("{} of {} failed: {}{}\n", kind, name, said.empty() ? word : printable(said),
                       said.empty() ? "" : " (" + printable(word) + ")");
  }
  if (state != "done") return fmt::format("{} of {} was {}\n", kind, name, state);
  bool changed = flag_of(job, "changed");
  if (kind == "unload")
    return changed ? fmt::format("{} is unloaded: {} requests finished, {} were ended, {} freed\n", name,
                                 whole_of(job, "requests_finished"), whole_of(job, "requests_ended"),
                                 in_bytes(number_of(job, "bytes_freed")))
                   : fmt::format("{} was unloaded before\n", name);
  return fmt::format("{} is {}{}\n", name, version_of(job), changed ? "" : ", as before");
}

exit_code ending_of(const value& job) {
  auto state = text_of(job, "state");
  return state == "done" || state == "running" ? exit_code::done : exit_code::refused;
}

}  // namespace lorica::admin
