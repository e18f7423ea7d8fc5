#include "bench/gpu/row.hpp"

#include <algorithm>

namespace lorica::bench {

row& row::size(std::string_view what, double value) {
  sizes.emplace_back(what, value);
  return *this;
}

row& row::figure(std::string_view what, double value) {
  figures.emplace_back(what, value);
  return *this;
}

row& row::at_least(std::string_view what, double limit) {
  targets.push_back({std::string(what), target::side::at_least, limit});
  return *this;
}

row& row::at_most(std::string_view what, double limit) {
  targets.push_back({std::string(what), target::side::at_most, limit});
  return *this;
}

std::optional<double> row::find(std::string_view what) const noexcept {
  for (auto* list : {&figures, &sizes})
    for (auto& [name, value] : *list)
      if (name == what) return value;
  return std::nullopt;
}

std::optional<bool> row::met() const noexcept {
  if (targets.empty() || !missing.empty() || !cut.empty()) return std::nullopt;
  return std::ranges::all_of(targets, [this](auto& t) {
    const auto value = find(t.figure);
    return value && t.met(*value);
  });
}

double percent_over(double base, double with) noexcept {
  return base > 0 ? 100 * (with - base) / base : 0;
}

double share_of(double floor, double time) noexcept {
  return time > 0 ? floor / time : 0;
}

}  // namespace lorica::bench
