#include "actors/adapter_reads.hpp"

#include <algorithm>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/take_reply.hpp"

namespace lorica {
namespace {

constexpr auto load_limit = std::chrono::minutes(10);
constexpr auto fetch_limit = std::chrono::minutes(120);  // the hub has limits of its own, and says more

error cancelled() {
  return fail(errc::cancelled, "The load was cancelled", "cancelled");
}

bool is_missing(const error& why) {
  return why.code == errc::unknown_adapter;
}

}  // namespace

adapter_reads::adapter_reads(adapters_actor::pointer self, std::vector<loader_actor> loaders, hub_actor hub)
    : self_(self), loaders_(std::move(loaders)), busy_(loaders_.size(), false), hub_(std::move(hub)) {}

void adapter_reads::read(adapter_read what) {
  auto shared = std::make_shared<adapter_read>(std::move(what));
  if (!shared->job.stop.stop_possible()) shared->job.stop = all_.get_token();
  bool ask_hub = shared->newest && shared->job.origin.where == adapter_origin::kind::hub && hub_;
  if (ask_hub) return download(shared);
  queues_[static_cast<std::size_t>(shared->how)].push_back(std::move(shared));
  start_more();
}

bool adapter_reads::idle() const noexcept {
  return downloads_ == 0 && std::ranges::none_of(busy_, [](bool b) { return b; }) &&
         std::ranges::all_of(queues_, [](auto& q) { return q.empty(); });
}

void adapter_reads::stop() {
  all_.request_stop();
  sweep();
}

void adapter_reads::sweep() {
  std::vector<read_ptr> stopped;
  for (auto& queue : queues_)
    std::erase_if(queue, [&](const read_ptr& what) {
      bool stop = what->job.stop.stop_requested();
      if (stop) stopped.push_back(what);
      return stop;
    });
  for (auto& what : stopped)
    finish(what, cancelled());
}

/// Requests take any loader. The others leave the last free one to them, if there are several, and begin at
/// the far end: the first loader, which also frees and lists, is then never behind a long load.
std::optional<std::size_t> adapter_reads::free_loader(urgency how) const {
  auto free = static_cast<std::size_t>(std::ranges::count(busy_, false));
  if (free == 0 || (how != urgency::request && free == 1 && busy_.size() > 1)) return std::nullopt;
  if (how == urgency::request)
    return static_cast<std::size_t>(std::ranges::find(busy_, false) - busy_.begin());
  auto last = std::find(busy_.rbegin(), busy_.rend(), false);
  return static_cast<std::size_t>(busy_.rend() - last) - 1;
}

void adapter_reads::start_more() {
  for (auto how : {urgency::request, urgency::operation, urgency::foresight}) {
    auto& queue = queues_[static_cast<std::size_t>(how)];
    while (!queue.empty()) {
      auto loader = free_loader(how);
      if (!loader) return;
      auto next = std::move(queue.front());
      queue.pop_front();
      start(std::move(next), *loader);
    }
  }
}

void adapter_reads::start(read_ptr what, std::size_t loader) {
  auto job = std::make_shared<load_job>(what->job);
  // What no request waits for takes nothing from generation.
  job->share = what->how == urgency::request ? core_share::turns : core_share::leftover;
  busy_[loader] = true;
  take_reply(
      self_->request(loaders_[loader], load_limit, atom::load::value, load_job_ptr(std::move(job))),
      [this, what, loader](const load_reply& reply) { arrived(what, loader, reply); },
      [this, what, loader](const caf::error&) {
        busy_[loader] = false;
        finish(what, fail(errc::timeout, "Loading took too long and was given up", "load_timeout"));
        start_more();
      });
}

void adapter_reads::arrived(const read_ptr& what, std::size_t loader, const load_reply& reply) {
  busy_[loader] = false;
  auto other = std::exchange(what->else_from, std::nullopt);
  bool hub = what->job.origin.where == adapter_origin::kind::hub;
  if (*reply) {
    finish(what, packed_load{std::move((*reply)->packed), (*reply)->duration, (*reply)->contents});
  } else if (is_missing(reply->error()) && other) {
    what->job.origin = *std::move(other);
    read(std::move(*what));
  } else if (is_missing(reply->error()) && hub && hub_ && !std::exchange(what->newest, true)) {
    download(what);
  } else {
    finish(what, reply->error());
  }
  start_more();
}

void adapter_reads::download(const read_ptr& what) {
  auto at = what->job.origin.text.find('@');
  fetch_job job{what->job.origin.text.substr(0, at), what->job.origin.text.substr(at + 1), what->job.stop,
                what->job.progress};
  ++downloads_;
  take_reply(
      self_->request(hub_, fetch_limit, atom::fetch::value,
                     fetch_job_ptr(std::make_shared<const fetch_job>(std::move(job)))),
      [this, what](const fetch_reply& reply) { downloaded(what, reply); },
      [this, what](const caf::error&) {
        --downloads_;
        finish(what, fail(errc::timeout, "The Hub does not answer", "hub_unreachable"));
      });
}

void adapter_reads::downloaded(const read_ptr& what, const fetch_reply& reply) {
  --downloads_;
  if (!*reply) return finish(what, reply->error());
  auto& text = what->job.origin.text;
  text = text.substr(0, text.find('@')) + "@" + (*reply)->commit;
  queues_[static_cast<std::size_t>(what->how)].push_back(what);
  start_more();
}

void adapter_reads::finish(const read_ptr& what, result<packed_load> outcome) {
  what->done(std::move(outcome), what->job.origin);
}

}  // namespace lorica
