#include "actors/background.hpp"

#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "core/log.hpp"

namespace lorica {

void settle_for(core_share what) {
  if (what == core_share::turns) return;
  constexpr int niceness = 5;
  const sched_param none{};
  errno = 0;
  const bool done = what == core_share::leftover ? ::sched_setscheduler(0, SCHED_IDLE, &none) == 0
                                                 : ::nice(niceness) != -1 || errno == 0;
  if (!done) log_warn("background work keeps its priority: the system does not let it have less");
}

std::chrono::nanoseconds processor_time(std::jthread& thread) noexcept {
  clockid_t clock = 0;
  timespec time{};
  if (::pthread_getcpuclockid(thread.native_handle(), &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace lorica
