#pragma once

#include <cstdint>

namespace lorica {

/// Decides how many members of a team work on the next step, because a core that a neighbour uses makes all
/// wait at every barrier: two members, one of them disturbed, are slower than one alone. Pure policy; results
/// do not depend on it. Owned by the executor.
///
/// Steps of the whole team are watched, `watched` of them at a time: when waiting took more than
/// `most_waiting` of the time of all but the one that waited longest, one member fewer works for a while,
/// then the whole team is tried again, for `watched_again` steps; the while doubles each time in vain. A
/// neighbour that stays disturbs many steps; a core that was gone for a moment makes one long, and says
/// nothing of the next. A while ends after so many steps, or once it took as many times longer than what was
/// watched as it has more steps: short steps that waited say little of long ones.
class team_size {
 public:
  explicit team_size(unsigned members) noexcept : members_(members), active_(members) {}

  /// Members that are to work on the next step, in [1, members].
  unsigned active() const noexcept { return active_; }

  /// Tells of a step: `seconds` it took, `waiting` the longest time that one of its members waited.
  void step_done(double seconds, double waiting) noexcept;

  static constexpr double most_waiting = 0.35;
  static constexpr std::uint32_t watched = 8;          ///< steps
  static constexpr std::uint32_t watched_again = 3;    ///< steps, where the team was disturbed before
  static constexpr std::uint32_t shortest_while = 32;  ///< steps with fewer members
  static constexpr std::uint32_t longest_while = 1024;

 private:
  void watch(double seconds, double waiting) noexcept;
  void begin_anew(unsigned active) noexcept;

  unsigned members_;
  unsigned active_;
  std::uint32_t seen_ = 0;  // steps since the size changed or the watch began anew
  std::uint32_t while_ = shortest_while;
  // Sums over these steps.
  double seconds_ = 0;
  double waiting_ = 0;
  // Of the step among them that waited longest.
  double worst_seconds_ = 0;
  double worst_waiting_ = 0;
  double limit_ = 0;  // seconds that the while takes at most
};

}  // namespace lorica
