#include <limits>

#include "app/admin/commands.hpp"
#include "app/admin/event_line.hpp"
#include "app/admin/json_text.hpp"
#include "app/admin/task.hpp"

namespace lorica::admin {

exit_code run_events(task& t) {
  constexpr auto no_end = std::numeric_limits<std::uint64_t>::max();
  auto wanted = t.what.number("--count", 1, 1'000'000'000, no_end);
  if (!wanted) return t.out.refuse(wanted.error());
  if (*wanted == no_end && !t.what.has("--follow"))
    return t.out.refuse(fail(
        errc::bad_config,
        "The server keeps no events of the past: --follow shows those that come, --count N the next N, and "
        "the command jobs what ended lately"));
  std::uint64_t seen = 0;
  auto take = [&](const value& event) {
    t.out.print((t.out.json() ? json_text(event) : event_line(event)) + "\n");
    return ++seen == *wanted || !t.out.is_read() ? stream_wish::enough : stream_wish::more;
  };
  auto begun = [&] { t.out.remark("Following events of " + t.server.place() + "; Ctrl-C ends"); };
  auto end =
      t.server.follow({.target = events_target, .accept = "text/event-stream"}, take, t.stop.once, begun);
  if (!end) {
    // The JSON form has a document per event, so the failure goes to people only.
    if (!t.out.json()) return t.out.refuse(end.error());
    t.out.remark("lorica-admin: " + end.error().text);
    return exit_code_of(end.error());
  }
  if (seen < *wanted && t.out.is_read()) t.out.remark("The server ended the stream");
  return exit_code::done;
}

}  // namespace lorica::admin
