#include "actors/starvation_guard.hpp"

#include <caf/actor_cast.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <memory>
#include <utility>

#include "core/log.hpp"

namespace lorica {
namespace {

constexpr std::chrono::seconds time_to_finish{10};  // of a draining adapter's sequences

}  // namespace

void starvation_guard::asked(const caf::actor_addr& scheduler) {
  scheduler_ = scheduler;
  if (patience_.count() > 0 && timer_ == 0 && world_.shelf.longest_wait())
    timer_ = world_.next_timer(patience_);
}

bool starvation_guard::expire(std::uint64_t timer) {
  if (timer != timer_) return false;
  timer_ = 0;
  look();
  return true;
}

void starvation_guard::look() {
  auto waited = world_.shelf.longest_wait();
  if (waited) timer_ = world_.next_timer(*waited < patience_ ? patience_ - *waited : patience_);
  bool starves = waited && *waited >= patience_;
  if (!starves && !draining_) return;
  auto scheduler = caf::actor_cast<scheduler_actor>(scheduler_);
  if (!scheduler) return;
  auto order = std::make_shared<drain_order>();
  if (starves) {
    order->candidates = world_.shelf.leased();
    order->how = *waited < patience_ + time_to_finish ? drain_how::finish : drain_how::preempt;
    if (!draining_)
      log_info("an adapter has waited {} ms for room; another one in use makes place",
               std::chrono::duration_cast<std::chrono::milliseconds>(*waited).count());
  }
  draining_ = starves;
  world_.self->send(scheduler, atom::drain::value, drain_order_ptr(std::move(order)));
}

}  // namespace lorica
