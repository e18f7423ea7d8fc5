#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/gpu/times.hpp"

namespace lorica::bench {

/// What a figure should be.
struct target {
  enum class side : std::uint8_t { at_least, at_most };

  std::string figure;
  side which = side::at_most;
  double limit = 0;

  bool met(double value) const noexcept { return which == side::at_least ? value >= limit : value <= limit; }
};

/// One measured point of a case.
struct row {
  std::string suite;                                    ///< `G-3`
  std::string name;                                     ///< unique in its case; peers use the same
  std::vector<std::pair<std::string, double>> sizes;    ///< what was computed
  std::vector<std::pair<std::string, double>> figures;  ///< what came out; units end their names
  std::optional<times> time;
  std::optional<bool> graphs;  ///< whether what was timed is started as recorded work
  std::vector<target> targets;
  std::string missing;       ///< why there are no figures; empty: there are
  bool out_of_room = false;  ///< that reason is that the machine is too small
  bool out_of_time = false;  ///< it is that the time was over
  std::string cut;           ///< why the figures are of a part only and no target is judged; empty: of all

  row& size(std::string_view what, double value);
  row& figure(std::string_view what, double value);
  row& at_least(std::string_view what, double limit);
  row& at_most(std::string_view what, double limit);

  /// A size or figure.
  std::optional<double> find(std::string_view what) const noexcept;

  /// Whether all targets are met; nothing where there are none, or no figures, or those of a part only.
  std::optional<bool> met() const noexcept;
};

/// By how many percent `with` is above `base`.
double percent_over(double base, double with) noexcept;

/// The part of `time` that `floor` is, 1 where the floor is reached.
double share_of(double floor, double time) noexcept;

}  // namespace lorica::bench
