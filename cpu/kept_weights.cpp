#include "cpu/kept_weights.hpp"

#include <fmt/core.h>
#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <csignal>
#include <utility>

#include "cpu/weights_digest.hpp"

namespace lorica {
namespace {

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A limit on the size of files would end the process otherwise.
void block_file_size_signal() noexcept {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGXFSZ);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void say(const notice& tell, log_level level, const std::string& line) {
  if (tell) tell(level, line);
}

}  // namespace

weights_keeper::weights_keeper(packed_cache cache, const packed_key& key, const packed_weights& weights,
                               notice tell)
    : thread_([cache = std::move(cache), key, contents = weights.contents(),
               tell = std::move(tell)](const std::stop_token& stop) {
        const sched_param none{};
        ::sched_setscheduler(0, SCHED_IDLE, &none);
        block_file_size_signal();
        auto kept = cache.keep(key, contents, stop);
        if (kept) return say(tell, log_level::debug, "weights: kept for the next start");
        if (kept.error().code != errc::cancelled)
          say(tell, log_level::warn, "weights are not kept for the next start: " + kept.error().text);
      }) {}

result<ready_weights> read_or_pack(const model_weights& model, cpu_mode mode, isa instructions,
                                   thread_team& team, const packing_progress& progress,
                                   const std::optional<packed_cache>& cache, const notice& tell) {
  const auto start = std::chrono::steady_clock::now();
  packed_key key{{}, mode, instructions};
  std::string hashing;
  if (cache) {
    key.weights = weights_digest(model, team);
    hashing = fmt::format(", {:.2f} s of them to hash the model", since(start));
    auto found = cache->load(model, key, team);
    if (found && *found) {
      say(tell, log_level::info,
          fmt::format("weights: read from the cache in {:.2f} s{}", since(start), hashing));
      return ready_weights{*std::move(found), std::nullopt};
    }
    if (!found) say(tell, log_level::warn, "weights are packed anew: " + found.error().text);
  }
  auto packed = packed_weights::pack(model, mode, team, progress);
  if (!packed) return std::move(packed).error();
  say(tell, log_level::info, fmt::format("weights: packed in {:.2f} s{}", since(start), hashing));
  return ready_weights{*std::move(packed), cache ? std::optional(key) : std::nullopt};
}

}  // namespace lorica
