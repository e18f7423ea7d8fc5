#include "actors/loader.hpp"

#include <sched.h>
#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <cerrno>
#include <optional>
#include <thread>
#include <utility>

#include "actors/adapter_contents.hpp"
#include "actors/attempt.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"

namespace lorica {
namespace {

constexpr int niceness = 5;  // against a thread that computes: a tenth of its core

/// The calling thread makes way for generation: it takes the time that is left, and gives its core away at
/// once to whoever computes; when a request waits for what it does, it gets a small share in any case.
void make_way(bool awaited) {
  const sched_param none{};
  errno = 0;
  const bool done = awaited ? ::nice(niceness) != -1 || errno == 0 : ::sched_setscheduler(0, SCHED_IDLE, &none) == 0;
  if (!done) log_warn("loader: priority stays as it is");
}

/// Runs `work` on a thread that makes way, and waits. Not on the actor's own thread: that one takes locks
/// which others wait for.
template <class Work>
auto in_background(bool awaited, const Work& work) {
  std::optional<decltype(work())> out;
  std::jthread([&] {
    make_way(awaited);
    out.emplace(work());
  }).join();
  return *std::move(out);
}

class loader_state {
 public:
  static inline const char* name = "loader";
  explicit loader_state(loader_actor::pointer self) : self_(self) {}
  loader_actor::behavior_type start(loader_parts parts, placement where);

 private:
  result<packed_load> load(const load_job& job) const;
  template <class Work>
  auto run(bool awaited, const Work& work) const;

  loader_actor::pointer self_;
  std::optional<loader_parts> parts_;
  placement where_ = placement::own_thread;
};
static_assert(!std::is_aggregate_v<loader_state>);

/// `work`, which may throw, at the lowest priority where that holds up nobody else.
template <class Work>
auto loader_state::run(bool awaited, const Work& work) const {
  auto tried = [&] { return attempt(name, work); };
  return where_ == placement::own_thread ? in_background(awaited, tried) : tried();
}

loader_actor::behavior_type loader_state::start(loader_parts parts, placement where) {
  harden(self_);
  parts_.emplace(std::move(parts));
  where_ = where;
  return {[this](atom::load, const load_job_ptr& job) -> load_reply {
            return std::make_shared<const result<packed_load>>(run(job->awaited, [&] { return load(*job); }));
          },
          [this](atom::scan) -> scan_reply {
            return std::make_shared<const result<root_index>>(run(true, [&] { return parts_->scan(); }));
          },
          [](atom::destroy, packed_ptr& adapter) -> std::uint64_t {
            auto bytes = adapter->bytes();
            adapter.reset();
            return bytes;
          }};
}

result<packed_load> loader_state::load(const load_job& job) const {
  if (job.stop.stop_requested()) return fail(errc::cancelled, "The load was cancelled", "cancelled");
  auto began = parts_->clock.now();
  if (job.progress) job.progress->enter(load_progress::stage::reading);
  auto read = parts_->read(job.origin, job.stop, job.progress.get(), job.pack ? &parts_->packer : nullptr);
  if (!read) return std::move(read).error();
  for (auto& warning : read->warnings)
    log_warn("adapter {}: {}", job.name, warning);
  auto bytes = read->packed ? read->packed->bytes() : parts_->packer.packed_bytes(read->weights);
  auto contents = describe_contents(*read, bytes);
  packed_load out;
  out.contents = std::make_shared<const adapter_contents>(std::move(contents));
  out.packed = std::move(read->packed);
  if (job.pack && !out.packed) {
    if (job.progress) job.progress->enter(load_progress::stage::packing, out.contents->bytes);
    auto packed = parts_->packer.pack(read->weights, job.stop);
    if (!packed) return std::move(packed).error();
    out.packed = *std::move(packed);
  }
  out.duration = parts_->clock.now() - began;
  return out;
}

loader_actor::behavior_type loader(loader_actor::stateful_pointer<loader_state> self, loader_parts parts,
                                   placement where) {
  return self->state.start(std::move(parts), where);
}

}  // namespace

loader_actor spawn_loader(caf::actor_system& system, loader_parts parts, placement where) {
  if (where == placement::shared_threads) return system.spawn(loader, std::move(parts), where);
  return system.spawn<caf::detached>(loader, std::move(parts), where);
}

}  // namespace lorica
