#include "actors/loader.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <chrono>
#include <optional>
#include <stop_token>
#include <utility>

#include "actors/adapter_contents.hpp"
#include "actors/attempt.hpp"
#include "actors/background.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"
#include "text/chat_template.hpp"

namespace lorica {
namespace {

/// How long a load settles for what is left over.
constexpr std::chrono::seconds patience{3};

class loader_state {
 public:
  static inline const char* name = "loader";
  explicit loader_state(loader_actor::pointer self) : self_(self) {}
  loader_actor::behavior_type start(loader_parts parts, placement where);

 private:
  result<packed_load> run(const load_job& job) const;
  result<packed_load> load(const load_job& job, const std::stop_token& stop) const;
  result<root_index> scan() const;

  loader_actor::pointer self_;
  std::optional<loader_parts> parts_;
  placement where_ = placement::own_thread;
};
static_assert(!std::is_aggregate_v<loader_state>);

loader_actor::behavior_type loader_state::start(loader_parts parts, placement where) {
  harden(self_);
  parts_.emplace(std::move(parts));
  where_ = where;
  return {[this](atom::load, const load_job_ptr& job) -> load_reply {
            return std::make_shared<const result<packed_load>>(attempt(name, [&] { return run(*job); }));
          },
          [this](atom::scan) -> scan_reply {
            return std::make_shared<const result<root_index>>(attempt(name, [&] { return scan(); }));
          },
          [](atom::destroy, packed_ptr& adapter) -> std::uint64_t {
            auto bytes = adapter->bytes();
            adapter.reset();
            return bytes;
          }};
}

/// A load takes what it may. When that is next to nothing it begins anew in turns: a thread may only ever
/// settle for less.
result<packed_load> loader_state::run(const load_job& job) const {
  if (where_ == placement::shared_threads) return load(job, job.stop);
  auto work = [&](const std::stop_token& stop) { return load(job, stop); };
  if (job.share == core_share::leftover)
    if (auto done = in_background(job.share, job.stop, patience, work)) return *std::move(done);
  return in_background(core_share::turns, job.stop, work);
}

result<root_index> loader_state::scan() const {
  if (where_ == placement::shared_threads) return parts_->scan();
  return in_background(core_share::some, {}, [&](const std::stop_token&) { return parts_->scan(); });
}

result<void> check_template(const load_job& job) {
  if (!job.chat_template) return {};
  auto parsed = chat_template::parse(*job.chat_template);
  if (parsed) return {};
  return fail(errc::invalid, "`defaults.chat_template` is no template: " + parsed.error().text, {},
              "defaults.chat_template");
}

result<packed_load> loader_state::load(const load_job& job, const std::stop_token& stop) const {
  if (stop.stop_requested()) return fail(errc::cancelled, "The load was cancelled", "cancelled");
  if (auto ok = check_template(job); !ok) return ok.error();
  auto began = parts_->clock.now();
  if (job.progress) job.progress->enter(load_progress::stage::reading);
  auto read =
      parts_->read(job.origin, {stop, job.progress.get(), job.pack ? &parts_->packer : nullptr, job.measure});
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
    auto packed = parts_->packer.pack(read->weights, stop);
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
