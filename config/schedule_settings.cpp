#include "config/setting_groups.hpp"

namespace lorica {
namespace {

using enum setting_kind;

constexpr setting rows[] = {
    {.flag = "prefix-caching",
     .environment = "PREFIX_CACHING",
     .kind = flag,
     .fallback = "true",
     .text = "Keep what was computed of a prompt for requests that begin the same. Replies are the same "
             "without it."},
    {.flag = "schedule-policy",
     .environment = "LORICA_SCHEDULE_POLICY",
     .kind = choice,
     .fallback = "fair",
     .text = "Whose request runs next: fair takes turns between the adapters (the base is one) by the time "
             "of the machine that each was given; fcfs keeps the order of arrival.",
     .choices = "fair|fcfs"},
    {.flag = "inter-token-target",
     .environment = "LORICA_INTER_TOKEN_TARGET",
     .kind = integer,
     .fallback = "100",
     .text = "Milliseconds that a step may take while replies are generated: bounds how much of a prompt is "
             "computed beside them, and with fair how many adapters run at once. Without running replies "
             "prompts are computed at full speed. 0: no bound.",
     .least = 0,
     .most = 60'000},
    {.flag = "queue-age-limit",
     .environment = "LORICA_QUEUE_AGE_LIMIT",
     .kind = integer,
     .fallback = "3000",
     .text = "With fair: milliseconds that an adapter's requests wait while none of them runs; then the one "
             "that waited longest goes first, whatever it costs. 0: no limit.",
     .least = 0,
     .most = 3'600'000},
};

}  // namespace

std::span<const setting> schedule_settings() {
  return rows;
}

}  // namespace lorica
