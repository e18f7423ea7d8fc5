#pragma once

#include "app/admin/exit_code.hpp"

namespace lorica::admin {

struct task;

// One function per command of `command_table`, by family.

// adapter_list.cpp, adapter_card.cpp
exit_code run_list(task& t);
exit_code run_show(task& t);

// load_commands.cpp
exit_code run_load(task& t);
exit_code run_unload(task& t);
exit_code run_declare(task& t);

// state_commands.cpp
exit_code run_pin(task& t);
exit_code run_unpin(task& t);
exit_code run_pause(task& t);
exit_code run_resume(task& t);
exit_code run_prefetch(task& t);
exit_code run_evict(task& t);
exit_code run_alias(task& t);

// job_commands.cpp
exit_code run_jobs(task& t);

// event_commands.cpp
exit_code run_events(task& t);

// health_command.cpp
exit_code run_health(task& t);

// top_command.cpp
exit_code run_top(task& t);

// bench_command.cpp
exit_code run_bench_adapter(task& t);

// completion.cpp; needs no server
exit_code run_completion(task& t);

}  // namespace lorica::admin
