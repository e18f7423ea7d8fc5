#include <fmt/format.h>

#include "app/admin/adapter_order.hpp"
#include "app/admin/commands.hpp"
#include "app/admin/task.hpp"
#include "app/admin/wording.hpp"
#include "core/json.hpp"

namespace lorica::admin {
namespace {

std::string status_line(const value& a) {
  auto marks = marks_of(a);
  return fmt::format("{}: {}, {}, {}{}{}\n", printable(text_of(a, "name")), text_of(a, "state"),
                     text_of(a, "tier", "nowhere"), in_bytes(number_of(a, "bytes")),
                     marks.empty() ? "" : ", ", printable(marks));
}

exit_code act(task& t, std::string_view action) {
  auto got =
      t.server.ask("POST", adapter_target(t.what.argument(0), "/" + std::string(action)), {}, t.stop.once);
  return answer(t, got, status_line);
}

}  // namespace

exit_code run_pin(task& t) {
  return act(t, "pin");
}

exit_code run_unpin(task& t) {
  return act(t, "unpin");
}

exit_code run_pause(task& t) {
  return act(t, "pause");
}

exit_code run_resume(task& t) {
  return act(t, "resume");
}

exit_code run_prefetch(task& t) {
  return act(t, "prefetch");
}

exit_code run_evict(task& t) {
  return act(t, "evict");
}

exit_code run_alias(task& t) {
  json_writer w;
  w.begin_object().key("alias_of").string(t.what.argument(1)).end_object();
  auto got = t.server.ask("PUT", adapter_target(t.what.argument(0)), w.take(), t.stop.once);
  return answer(t, got, status_line);
}

}  // namespace lorica::admin
