#include "app/admin/top_rates.hpp"

#include <algorithm>

namespace lorica::admin {
namespace {

constexpr std::size_t most_kept = 1000;

double one(const std::map<std::string, double>& all, const std::string& name) {
  auto found = all.find(name);
  return found == all.end() ? 0 : found->second;
}

double sum(const std::map<std::string, double>& all) {
  double out = 0;
  for (auto& [name, count] : all)
    out += count;
  return out;
}

}  // namespace

void top_rates::take(const top_reading& reading) {
  auto& m = reading.metrics;
  counts now{reading.at, m.by("lorica_requests_total", "adapter"),
             m.by("lorica_generated_tokens_total", "adapter"), m.sum("lorica_step_rows_sum"),
             m.sum("lorica_steps_total")};
  // A counter that fell belongs to a server that started anew.
  if (!kept_.empty() && (now.steps < kept_.back().steps || sum(now.requests) < sum(kept_.back().requests)))
    kept_.clear();
  kept_.push_back(std::move(now));
  // The oldest that stays is the first one outside the window, so that the whole window is seen.
  while (kept_.size() > most_kept || (kept_.size() > 2 && kept_.back().at - kept_[1].at >= window))
    kept_.pop_front();
}

template <class Of>
double top_rates::per_second(Of of) const {
  if (!known()) return 0;
  auto seconds = std::chrono::duration<double>(kept_.back().at - kept_.front().at).count();
  return seconds > 0 ? std::max(0.0, of(kept_.back()) - of(kept_.front())) / seconds : 0;
}

double top_rates::requests(const std::string& adapter) const {
  return per_second([&](const counts& c) { return one(c.requests, adapter); });
}

double top_rates::tokens(const std::string& adapter) const {
  return per_second([&](const counts& c) { return one(c.tokens, adapter); });
}

double top_rates::all_requests() const {
  return per_second([](const counts& c) { return sum(c.requests); });
}

double top_rates::all_tokens() const {
  return per_second([](const counts& c) { return sum(c.tokens); });
}

double top_rates::rows() const {
  return per_second([](const counts& c) { return c.rows; });
}

}  // namespace lorica::admin
