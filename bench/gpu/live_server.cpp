#include "bench/gpu/live_server.hpp"

#include <algorithm>
#include <thread>

#include "bench/gpu/failure.hpp"
#include "bench/gpu/random_numbers.hpp"
#include "bench/gpu/times.hpp"

namespace lorica::bench {
namespace {

// As the server has them by default.
constexpr double patience = 3;         // seconds without room for an adapter until another one drains
constexpr double time_to_finish = 10;  // seconds more until its sequences go back to the queue

}  // namespace

std::vector<double> first_token_seconds(const live_outcome& o) {
  std::vector<double> out;
  for (auto& r : o.requests)
    out.push_back((r.tokens == 0 ? o.end : r.first) - r.asked.at);
  return out;
}

live_server::live_server(executor& engine, const adapter_list& adapters, planner_options options,
                         std::uint32_t vocab)
    : engine_(engine),
      adapters_(adapters),
      shelf_(engine, adapters),
      plan_(std::move(options)),
      vocab_(vocab),
      start_(clock::now()) {}

double live_server::now() const {
  return std::chrono::duration<double>(clock::now() - start_).count();
}

void live_server::wait_until(double at) const {
  std::this_thread::sleep_until(
      start_ + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(at)));
}

void live_server::submit(const request_arrival& r) {
  sequence s;
  s.id = out_.requests.size() + 1;
  s.prompt.resize(r.prompt);
  for (std::uint32_t i = 0; i < r.prompt; ++i)
    s.prompt[i] = static_cast<token_id>(scattered((s.id << 32) + i) % vocab_);
  s.max_new_tokens = r.output;
  s.ignore_eos = true;
  if (r.adapter != 0) s.composition.push_back({adapters_.at(r.adapter - 1)->version(), 1.0f});
  out_.requests.push_back({.asked = r});
  need(plan_.submit(std::move(s)));
  note_wishes();
}

void live_server::note_wishes() {
  for (auto& version : plan_.lease_wanted())
    wishes_.push_back({version, now()});
}

/// As many as there is room for, in order. Whether there was one.
bool live_server::grant_wishes() {
  bool any = false;
  while (!wishes_.empty()) {
    auto adapter = shelf_.hold(wishes_.front().version);
    if (!adapter) break;
    wishes_.pop_front();
    any = true;
    take(plan_.lease_granted(adapter->version(), adapter));
  }
  return any;
}

void live_server::drain_if_starving() {
  const double waited = wishes_.empty() ? 0 : now() - wishes_.front().since;
  const bool starves = waited >= patience;
  if (!starves && !draining_) return;
  draining_ = starves;
  const auto how = waited < patience + time_to_finish ? drain_how::finish : drain_how::preempt;
  take(plan_.drain(starves ? shelf_.held() : std::vector<adapter_version>{}, how));
}

bool live_server::step() {
  plan_.advance_to(std::chrono::duration_cast<std::chrono::nanoseconds>(clock::now() - start_));
  const auto planned = plan_.next_step();
  note_wishes();
  if (!planned) return false;
  step_output done;
  const double seconds = seconds_of([&] { done = need(engine_.execute(*planned->work)); });
  done.seconds = seconds;
  ++out_.steps;
  take(plan_.complete(done));
  return true;
}

void live_server::take(const plan_outcome& out) {
  const double at = now();
  for (auto& t : out.tokens) {
    auto& r = out_.requests[t.id - 1];
    if (r.tokens == 0) {
      r.first = at;
      ++started_;
    } else {
      r.longest = std::max(r.longest, at - r.last);
    }
    r.last = at;
    ++r.tokens;
    ++out_.tokens;
  }
  for (auto& e : out.ended)
    need(e.how ? result<void>{} : result<void>{e.how.error()});
  out_.ended += out.ended.size();
  for (auto& lease : out.leases)
    shelf_.release(lease->version());
}

bool live_server::is_over(std::size_t arrivals, const live_end& end) {
  if ((end.at_first_tokens ? started_ : out_.ended) >= arrivals) return true;
  out_.cut = now() >= end.seconds;
  return out_.cut;
}

live_outcome live_server::serve(const std::vector<request_arrival>& arrivals, const live_end& end) {
  start_ = clock::now();
  auto next = arrivals.begin();
  while (!is_over(arrivals.size(), end)) {
    for (; next != arrivals.end() && next->at <= now(); ++next)
      submit(*next);
    const bool granted = grant_wishes();
    drain_if_starving();
    if (step() || granted) continue;
    if (!wishes_.empty() && shelf_.held().empty())
      throw failure(fail(errc::out_of_memory, "there is no room for one adapter on the device"));
    if (next != arrivals.end())
      wait_until(std::min(next->at, end.seconds));
    else if (wishes_.empty())
      throw failure(fail(errc::internal, "the planner stands still"));
  }
  out_.end = now();
  out_.seconds = out_.end - (arrivals.empty() ? 0 : arrivals.front().at);
  out_.copies = shelf_.copies();
  return std::move(out_);
}

}  // namespace lorica::bench
