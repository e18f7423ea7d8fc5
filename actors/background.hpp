#pragma once

#include <chrono>
#include <future>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>

#include "actors/core_share.hpp"

namespace lorica {

/// The calling thread settles for that share, for the rest of its life: nobody may ask for more again.
void settle_for(core_share what);

/// Processor time of a thread that was not joined; zero when it has ended.
std::chrono::nanoseconds processor_time(std::jthread& thread) noexcept;

/// Runs `work(stop)` on a thread of its own with that share, waits, and gives what it gives. Nothing when it
/// was starved and therefore stopped: over `patience` it had less than a quarter of a core. Not on the
/// caller's thread: that one takes locks which others wait for. `stop` is requested as soon as `outer` is.
template <class Work>
auto in_background(core_share what, const std::stop_token& outer,
                   std::optional<std::chrono::milliseconds> patience, const Work& work) {
  std::packaged_task<decltype(work(outer))(std::stop_token)> task([&](const std::stop_token& stop) {
    settle_for(what);
    return work(stop);
  });
  auto answer = task.get_future();
  std::jthread thread(std::move(task));
  std::stop_callback follow(outer, [&thread] { thread.request_stop(); });
  bool starved = false;
  for (std::chrono::nanoseconds used{0};
       patience && !starved && answer.wait_for(*patience) != std::future_status::ready;) {
    auto now = processor_time(thread);
    starved = now - used < *patience / 4;
    used = now;
  }
  if (starved) thread.request_stop();
  auto out = std::optional(answer.get());
  if (starved && !outer.stop_requested() && !*out) out.reset();
  return out;
}

/// The same without a limit.
template <class Work>
auto in_background(core_share what, const std::stop_token& outer, const Work& work) {
  return *in_background(what, outer, std::nullopt, work);
}

}  // namespace lorica
