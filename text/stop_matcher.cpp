#include "text/stop_matcher.hpp"

#include <algorithm>
#include <utility>

namespace lorica {
namespace {

// Knuth, Morris, Pratt: border[n] is the longest proper prefix of the first n characters that is also their
// suffix.
std::vector<std::size_t> borders(std::string_view text) {
  std::vector<std::size_t> border(text.size() + 1, 0);
  std::size_t k = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    while (k > 0 && text[i] != text[k])
      k = border[k];
    if (text[i] == text[k]) ++k;
    border[i + 1] = k;
  }
  return border;
}

}  // namespace

stop_matcher::stop_matcher(std::vector<std::string> stops, bool include_stop) : include_stop_(include_stop) {
  for (auto& stop : stops) {
    if (stop.empty()) continue;
    auto border = borders(stop);
    patterns_.push_back({.text = std::move(stop), .border = std::move(border)});
  }
}

void stop_matcher::pattern::advance(char c) {
  while (matched > 0 && text[matched] != c)
    matched = border[matched];
  if (text[matched] == c) ++matched;
}

// Where the earliest stop string that may still match begins.
std::size_t stop_matcher::undecided_from() const {
  auto from = held_.size();
  for (auto& p : patterns_)
    if (!p.done) from = std::min(from, held_.size() - p.matched);
  return from;
}

void stop_matcher::advance(char c, matching how) {
  held_ += c;
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    auto& p = patterns_[i];
    if (p.done) continue;
    p.advance(c);
    if (p.matched < p.text.size()) continue;
    if (how == matching::passes) {
      p.matched = p.border[p.matched];
      continue;
    }
    p.done = true;
    match found{held_.size() - p.text.size(), held_.size(), i};
    // Characters come in order, so of two that begin at one place the first seen ends first.
    if (!best_ || found.begin < best_->begin) best_ = found;
  }
}

// Takes the text up to the match; what lies behind it is dropped.
std::string stop_matcher::cut() {
  stopped_ = true;
  auto text = held_.substr(0, include_stop_ ? best_->end : best_->begin);
  held_.clear();
  return text;
}

stop_matcher::step stop_matcher::push(std::string_view piece, matching how) {
  if (stopped_) return {.text = {}, .stopped = true};
  for (char c : piece) {
    advance(c, how);
    if (best_ && undecided_from() >= best_->begin) return {.text = cut(), .stopped = true};
  }
  auto safe = undecided_from();
  step out{.text = held_.substr(0, safe)};
  held_.erase(0, safe);
  if (best_) best_ = match{best_->begin - safe, best_->end - safe, best_->pattern};
  return out;
}

std::string stop_matcher::flush() {
  if (stopped_) return {};
  if (best_) return cut();
  return std::exchange(held_, {});
}

}  // namespace lorica
