#include "bench/virtual_server.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

namespace lorica::bench {
namespace {

class weightless_adapter final : public packed_adapter {
 public:
  weightless_adapter(adapter_version v, std::uint64_t bytes) : version_(v), bytes_(bytes) {}
  const adapter_version& version() const noexcept override { return version_; }
  std::uint64_t bytes() const noexcept override { return bytes_; }
  std::vector<std::uint32_t> ranks() const override { return {16}; }
  const merge_shape& shape() const noexcept override { return shape_; }

 private:
  adapter_version version_;
  std::uint64_t bytes_;
  merge_shape shape_;
};

adapter_version version_of(std::uint32_t adapter) {
  adapter_version out;
  for (std::size_t i = 0; i < 4; ++i)
    out.digest[i] = static_cast<std::uint8_t>(adapter >> (8 * i));
  return out;
}

/// A token of its own for each place of each prompt, as far as there are numbers.
token_id token_at(sequence_id id, std::uint32_t place) {
  auto x = id * 0x9e3779b97f4a7c15u + place;
  x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
  return static_cast<token_id>((x >> 33) % 0x7fffffff);
}

}  // namespace

step_load load_of(const batch& work) {
  step_load out;
  for (auto& s : work.sequences)
    out += step_load::of_rows(s.rows, s.context, false, (s.sample ? 1u : 0u) + s.scored);
  for (auto& s : work.segments)
    out.adapter_rows += s.rows;
  std::set<const packed_adapter*> adapters;
  for (auto& use : work.uses)
    if (adapters.insert(use.adapter).second) out.adapter_bytes += static_cast<double>(use.adapter->bytes());
  return out;
}

double jain_index(const std::map<std::uint32_t, double>& service) {
  double sum = 0;
  double squares = 0;
  for (auto& [client, given] : service)
    sum += given, squares += given * given;
  return squares == 0 ? 1 : sum * sum / (static_cast<double>(service.size()) * squares);
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  auto place = std::ceil(share * static_cast<double>(values.size())) - 1;
  return values[static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(values.size() - 1)))];
}

std::vector<request_arrival> arrivals_of(const std::vector<planned_request>& traffic) {
  std::vector<request_arrival> out;
  out.reserve(traffic.size());
  for (auto& r : traffic)
    out.push_back({r.arrival, r.adapter == planned_request::none ? 0 : r.adapter + 1, r.prompt, r.output});
  return out;
}

virtual_server::virtual_server(planner_options options, virtual_machine machine)
    : plan_(std::move(options)), machine_(std::move(machine)) {}

void virtual_server::serve(const std::vector<request_arrival>& arrivals, double until) {
  auto next = arrivals.begin();
  while (now_ < until) {
    for (; next != arrivals.end() && next->at <= now_; ++next)
      submit(*next);
    grant_due();
    if (step()) continue;
    // Nothing can run: on to whatever comes first.
    auto soonest = next == arrivals.end() ? until : std::min(until, next->at);
    if (!due_.empty()) soonest = std::min(soonest, due_.top().at);
    if (soonest == until && next == arrivals.end() && due_.empty()) {
      if (ended_ != requests_.size() && !std::isfinite(until)) throw std::logic_error("requests are stuck");
      if (std::isfinite(until)) now_ = until;
      return;
    }
    now_ = std::max(now_, soonest);
  }
}

void virtual_server::submit(const request_arrival& r) {
  sequence s;
  s.id = requests_.size() + 1;
  s.prompt.resize(r.prompt);
  for (std::uint32_t i = 0; i < r.prompt; ++i)
    s.prompt[i] = token_at(s.id, i);
  s.max_new_tokens = r.output;
  s.ignore_eos = true;
  if (r.adapter != 0) s.composition.push_back({version_of(r.adapter), 1.0f});
  requests_.push_back({.asked = r});
  plan_.advance_to(std::chrono::nanoseconds(static_cast<std::int64_t>(now_ * 1e9)));
  if (auto taken = plan_.submit(std::move(s)); !taken) throw std::runtime_error(taken.error().text);
  ask_for_leases();
}

void virtual_server::ask_for_leases() {
  for (auto& version : plan_.lease_wanted())
    due_.push({now_ + machine_.adapter_seconds, asked_++, version});
}

void virtual_server::grant_due() {
  for (; !due_.empty() && due_.top().at <= now_; due_.pop()) {
    auto version = due_.top().version;
    take(plan_.lease_granted(version,
                             std::make_shared<const weightless_adapter>(version, machine_.adapter_bytes)));
  }
}

bool virtual_server::step() {
  plan_.advance_to(std::chrono::nanoseconds(static_cast<std::int64_t>(now_ * 1e9)));
  auto planned = plan_.next_step();
  ask_for_leases();
  if (!planned) {
    auto granted = !due_.empty() && due_.top().at <= now_;
    grant_due();
    return granted;
  }
  auto& work = *planned->work;
  decisions_ += work.sequences.size();
  step_output out;
  out.seconds = machine_.step_seconds(load_of(work));
  served_step facts{.at = now_, .seconds = out.seconds};
  std::set<const packed_adapter*> adapters;
  for (auto& use : work.uses)
    adapters.insert(use.adapter);
  facts.adapters = static_cast<std::uint32_t>(adapters.size());
  for (std::uint32_t i = 0; i < work.sequences.size(); ++i) {
    auto& s = work.sequences[i];
    auto decodes = s.rows == 1 && s.context >= s.prompt_tokens;
    (decodes ? facts.decode_rows : facts.prefill_rows) += s.rows;
    if (s.sample) out.tokens.push_back({i, 1, -1.0f});
  }
  now_ += out.seconds;
  steps_.push_back(facts);
  take(plan_.complete(out));
  note_gap();
  if (watch) watch();
  return true;
}

void virtual_server::take(const plan_outcome& out) {
  for (auto& t : out.tokens) {
    auto& r = requests_[t.id - 1];
    auto& given = service_[r.asked.adapter];
    if (r.tokens == 0) {
      r.first = now_;
      given += r.asked.prompt;
    } else {
      r.longest = std::max(r.longest, now_ - r.last);
    }
    given += 2;
    r.last = now_;
    ++r.tokens;
  }
  for (auto& e : out.ended)
    if (!e.how) throw std::runtime_error(e.how.error().text);
  ended_ += out.ended.size();
}

void virtual_server::note_gap() {
  double least = 0;
  double most = 0;
  bool any = false;
  for (auto c : plan_.queue().present()) {
    if (c->waiting.empty()) continue;
    least = any ? std::min(least, c->counter()) : c->counter();
    most = any ? std::max(most, c->counter()) : c->counter();
    any = true;
  }
  widest_gap_ = std::max(widest_gap_, most - least);
}

}  // namespace lorica::bench
