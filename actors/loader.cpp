#include "actors/loader.hpp"

#include <sched.h>

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <optional>
#include <utility>

#include "actors/adapter_contents.hpp"
#include "actors/attempt.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"

namespace lorica {
namespace {

/// Loads run beside generation, in the time that it leaves: a thread of this policy gives its core away at
/// once to whoever computes, where one of low priority finishes its time slice first.
void lower_priority() {
  const sched_param none{};
  if (::sched_setscheduler(0, SCHED_IDLE, &none) != 0) log_warn("loader: priority stays as it is");
}

class loader_state {
 public:
  static inline const char* name = "loader";
  explicit loader_state(loader_actor::pointer self) : self_(self) {}
  loader_actor::behavior_type start(loader_parts parts, placement where);

 private:
  result<packed_load> load(const load_job& job) const;

  loader_actor::pointer self_;
  std::optional<loader_parts> parts_;
};
static_assert(!std::is_aggregate_v<loader_state>);

loader_actor::behavior_type loader_state::start(loader_parts parts, placement where) {
  harden(self_);
  parts_.emplace(std::move(parts));
  if (where == placement::own_thread) lower_priority();
  return {[this](atom::load, const load_job_ptr& job) -> load_reply {
            return std::make_shared<const result<packed_load>>(attempt(name, [&] { return load(*job); }));
          },
          [this](atom::scan) -> scan_reply {
            return std::make_shared<const result<root_index>>(attempt(name, [&] { return parts_->scan(); }));
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
  auto read = parts_->read(job.origin, job.stop, job.progress.get());
  if (!read) return std::move(read).error();
  for (auto& warning : read->warnings)
    log_warn("adapter {}: {}", job.name, warning);
  auto contents = describe_contents(*read, parts_->packer.packed_bytes(read->weights));
  packed_load out;
  out.contents = std::make_shared<const adapter_contents>(std::move(contents));
  if (job.pack) {
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
