#include "actors/adapter_unloading.hpp"

#include <fmt/core.h>

#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "core/log.hpp"
#include "core/shown.hpp"

namespace lorica {

result<adapter_job> adapter_unloading::begin(const adapter_unload& what, answer_when when,
                                             adapter_jobs::answer done) {
  auto entry = world_.names.find(what.name);
  if (!entry)
    return fail(errc::unknown_adapter,
                fmt::format("The lora adapter '{}' cannot be found.", shown(what.name)), "adapter_not_found");
  adapter_job facts;
  facts.kind = job_kind::unload;
  facts.name = what.name;
  if (entry->state == adapter_state::unloaded && entry->alias_of.empty()) {
    auto same = world_.jobs.record(std::move(facts), world_.seconds());
    if (done) done(same);
    return same;
  }
  auto stays = entry->alias_of.empty() ? world_.users.of(what.name) : std::set<std::uint64_t>();
  static_cast<void>(world_.names.unload(what.name));
  world_.emit("unloaded", what.name, entry->current ? std::optional(entry->current->version) : std::nullopt);
  log_info("adapter {} is unloaded; {} requests still use it", what.name, stays.size());
  world_.publish();

  auto& job = world_.jobs.begin(job_kind::unload, what.name, {}, world_.seconds());
  job.committed = true;
  job.facts.changed = true;
  if (entry->current && entry->alias_of.empty()) job.facts.version = entry->current->version;
  auto& w = works_[job.facts.id];
  w.job = job.facts.id;
  w.stays = std::move(stays);
  if (entry->alias_of.empty()) w.meant = entry->current;
  for (auto stay : w.stays)
    waits_.emplace(stay, w.job);
  if (what.mode == unload_mode::abort) abort(w);
  if (what.mode == unload_mode::deadline && !w.stays.empty()) {
    w.timer = world_.next_timer(std::chrono::seconds(what.deadline_seconds));
    deadlines_[w.timer] = w.job;
  }
  if (when == answer_when::ended && done) job.waiting.push_back(std::exchange(done, nullptr));

  auto now = world_.names.find(what.name);
  catalogue_change change{what.name, std::nullopt};
  if (now) change.record = record_of(*now);
  auto id = w.job;
  auto accepted = adapter_jobs::shown(job);
  world_.keep(std::move(change), [this, id, accepted, done](const result<void>& outcome) {
    auto& work = works_.at(id);
    if (done) outcome ? done(accepted) : done(outcome.error());
    if (!outcome) {
      log_error("adapter {} is unloaded, but that could not be written down", accepted.name);
      job_of(work).facts.failure = outcome.error();
    }
    work.kept = true;
    settle(id);
  });
  return accepted;
}

void adapter_unloading::abort(work& w) {
  auto why = fail(errc::incomplete, "The adapter was unloaded while this request ran", "adapter_unloaded");
  auto shared = std::make_shared<const error>(std::move(why));
  for (auto& session : world_.users.sessions(w.stays))
    world_.self->send(session, atom::failed::value, error_ptr(shared));
  w.told = w.stays;
}

bool adapter_unloading::expire(std::uint64_t number) {
  auto found = deadlines_.extract(number);
  if (found.empty()) return false;
  abort(works_.at(found.mapped()));
  return true;
}

void adapter_unloading::left(std::uint64_t stay) {
  for (auto found = waits_.extract(stay); !found.empty(); found = waits_.extract(stay)) {
    auto& w = works_.at(found.mapped());
    w.stays.erase(stay);
    auto& facts = job_of(w).facts;
    ++(w.told.contains(stay) ? facts.requests_ended : facts.requests_finished);
    settle(w.job);
  }
}

/// Ends the job when nobody uses the name any more and its end is durable.
void adapter_unloading::settle(std::string job) {
  auto found = works_.find(job);
  auto& w = found->second;
  if (!w.kept || !w.stays.empty()) return;
  deadlines_.erase(w.timer);
  auto meant = w.meant;
  works_.erase(found);
  auto end = [this, job](std::uint64_t bytes) {
    auto& ended = *world_.jobs.running(job);
    ended.facts.bytes_freed = bytes;
    world_.publish();
    if (!ended.facts.failure) return world_.jobs.end(ended, job_state::done, world_.seconds());
    auto why = *ended.facts.failure;
    world_.jobs.fail(ended, std::move(why), world_.seconds());
  };
  if (!meant) return end(0);
  world_.let_go(meant->version, std::move(end));
}

}  // namespace lorica
