#include "actors/adapter_jobs.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

namespace lorica {

adapter_jobs::~adapter_jobs() {
  break_all();
}

void adapter_jobs::break_all() {
  for (auto& [id, e] : running_)
    for (auto& tell : std::exchange(e->waiting, {}))
      tell(lorica::fail(errc::unavailable, "The server is shutting down"));
}

std::string adapter_jobs::next_id() {
  return fmt::format("job-{}-{:06}", nonce_, ++last_);
}

adapter_jobs::entry& adapter_jobs::begin(job_kind kind, std::string name, std::string source,
                                         std::int64_t now) {
  auto e = std::make_unique<entry>();
  e->facts.id = next_id();
  e->facts.kind = kind;
  e->facts.name = std::move(name);
  e->facts.source = std::move(source);
  e->facts.stage = kind == job_kind::load ? "queued" : "draining";
  e->facts.created = now;
  if (kind == job_kind::load) e->progress = std::make_shared<load_progress>();
  return *running_.emplace(e->facts.id, std::move(e)).first->second;
}

adapter_job adapter_jobs::record(adapter_job facts, std::int64_t now) {
  facts.id = next_id();
  facts.state = job_state::done;
  facts.stage.clear();
  facts.created = now;
  facts.ended = now;
  keep(facts);
  return facts;
}

adapter_jobs::entry* adapter_jobs::running(std::string_view id) {
  auto found = running_.find(id);
  return found == running_.end() ? nullptr : found->second.get();
}

adapter_job adapter_jobs::shown(const entry& e) {
  auto out = e.facts;
  if (!e.progress) return out;
  out.stage = to_string(e.progress->now.load());
  out.bytes = e.progress->bytes;
  out.total_bytes = e.progress->total;
  return out;
}

result<adapter_job> adapter_jobs::find(std::string_view id) const {
  if (auto found = running_.find(id); found != running_.end()) return shown(*found->second);
  if (auto found = ended_.find(id); found != ended_.end()) return found->second;
  return lorica::fail(errc::unknown_route, "There is no such job, or it ended too long ago", "job_not_found");
}

std::vector<adapter_job> adapter_jobs::list() const {
  std::vector<adapter_job> out;
  for (auto& id : order_)
    out.push_back(ended_.find(id)->second);
  for (auto& [id, e] : running_)
    out.push_back(shown(*e));
  std::ranges::sort(out, {}, &adapter_job::id);
  return out;
}

void adapter_jobs::stop_all() {
  for (auto& [id, e] : running_)
    e->stop.request_stop();
}

void adapter_jobs::keep(adapter_job facts) {
  order_.push_back(facts.id);
  auto id = facts.id;
  ended_.emplace(std::move(id), std::move(facts));
  if (order_.size() <= max_ended_) return;
  ended_.erase(order_.front());
  order_.pop_front();
}

void adapter_jobs::end(entry& e, job_state how, std::int64_t now) {
  auto owned = std::move(running_.extract(e.facts.id).mapped());
  owned->facts.state = how;
  owned->facts.stage.clear();
  owned->facts.ended = now;
  keep(owned->facts);
  for (auto& tell : owned->waiting) {
    if (how == job_state::done) tell(owned->facts);
    if (how == job_state::failed) tell(*owned->facts.failure);
    if (how == job_state::cancelled)
      tell(lorica::fail(errc::cancelled, "The load was cancelled", "cancelled"));
  }
}

void adapter_jobs::fail(entry& e, error why, std::int64_t now) {
  bool cancelled = why.code == errc::cancelled;
  e.facts.failure = std::move(why);
  end(e, cancelled ? job_state::cancelled : job_state::failed, now);
}

}  // namespace lorica
