#pragma once

#include <cstdint>
#include <string>

#include "app/admin/task.hpp"

namespace lorica::admin {

/// What the first Ctrl-C does while a job is waited for.
enum class on_interrupt : std::uint8_t { cancel_job, leave };

/// Asks for `job` again until it has ended, and shows where it is. Fails with `errc::cancelled` when it was
/// left: the second Ctrl-C, or the first with `leave`.
result<value> watch_job(task& t, value job, on_interrupt what);

/// `load sql  reading  1.2 MiB of 3.0 MiB`.
std::string progress_line(const value& job);

/// How a job stands, in some lines.
std::string job_card(const value& job);

/// How the program ends after a job; `running` counts as done.
exit_code ending_of(const value& job);

}  // namespace lorica::admin
