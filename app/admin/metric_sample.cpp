#include "app/admin/metric_sample.hpp"

#include <charconv>
#include <optional>

namespace lorica::admin {
namespace {

/// One line while it is read. Every step is false, and nothing more is read, when the text does not fit.
struct line_reader {
  std::string_view rest;

  bool skip(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }

  std::string_view until(std::string_view ends) {
    auto at = rest.find_first_of(ends);
    auto out = rest.substr(0, at);
    rest.remove_prefix(out.size());
    return out;
  }

  std::optional<std::string> quoted() {
    if (!skip('"')) return std::nullopt;
    std::string out;
    while (!rest.empty()) {
      char c = rest.front();
      rest.remove_prefix(1);
      if (c == '"') return out;
      if (c == '\\' && !rest.empty()) {
        c = rest.front() == 'n' ? '\n' : rest.front();
        rest.remove_prefix(1);
      }
      out += c;
    }
    return std::nullopt;
  }
};

}  // namespace

metric_sample metric_sample::read(std::string_view text) {
  metric_sample out;
  while (!text.empty()) {
    auto end = text.find('\n');
    line_reader in{text.substr(0, end)};
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (in.rest.starts_with('#')) continue;
    auto name = std::string(in.until("{ "));
    point made;
    bool good = !name.empty();
    if (good && in.skip('{'))
      while (good && !in.skip('}')) {
        auto label = std::string(in.until("=}"));
        std::optional<std::string> said;
        good = !label.empty() && in.skip('=') && (said = in.quoted());
        if (good) made.labels.emplace(std::move(label), *std::move(said));
        if (good) in.skip(',');
      }
    if (!good || !in.skip(' ')) continue;
    auto* last = in.rest.data() + in.rest.size();
    auto [stop, failed] = std::from_chars(in.rest.data(), last, made.number);
    if (failed == std::errc() && (stop == last || *stop == ' ')) out.series_[name].push_back(std::move(made));
  }
  return out;
}

double metric_sample::sum(std::string_view name) const {
  double out = 0;
  auto found = series_.find(name);
  if (found == series_.end()) return out;
  for (auto& p : found->second)
    out += p.number;
  return out;
}

std::map<std::string, double> metric_sample::by(std::string_view name, std::string_view label) const {
  std::map<std::string, double> out;
  auto found = series_.find(name);
  if (found == series_.end()) return out;
  for (auto& p : found->second)
    if (auto said = p.labels.find(label); said != p.labels.end()) out[said->second] += p.number;
  return out;
}

}  // namespace lorica::admin
