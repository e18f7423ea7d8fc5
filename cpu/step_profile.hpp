#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lorica {

/// Parts of a step, each ended by a barrier of the team.
enum class step_phase : std::uint8_t {
  embed,
  norm,
  shrink,
  qkv,
  rope,
  attention,
  o,
  gate_up,
  down,
  head,
  sample
};
inline constexpr std::size_t step_phases = 11;

constexpr std::string_view to_string(step_phase p) noexcept {
  constexpr std::string_view names[] = {
      "embed",    "norm", "shrink", "qkv",   "rope", "attention", "attention output",
      "gate, up", "down", "head",   "sample"};
  return names[static_cast<std::size_t>(p)];
}

/// Where the time of steps goes, per member of a team: at work, and waiting for the others. Given to an
/// executor for measuring; in service there is none.
class step_profile {
 public:
  struct times {
    double work = 0;  ///< seconds
    double wait = 0;
  };

  explicit step_profile(unsigned members) : members_(members) {}

  /// A step begins on `member`.
  void begin(unsigned member) noexcept { members_[member].last = clock::now(); }

  /// Adds what passed since the last call.
  void worked(unsigned member, step_phase phase) noexcept { of(member, phase).work += lap(member); }
  void waited(unsigned member, step_phase phase) noexcept { of(member, phase).wait += lap(member); }

  times& of(unsigned member, step_phase phase) noexcept {
    return members_[member].phases[static_cast<std::size_t>(phase)];
  }
  void clear() noexcept { members_.assign(members_.size(), {}); }

 private:
  using clock = std::chrono::steady_clock;

  struct alignas(64) member_times {
    clock::time_point last = {};
    std::array<times, step_phases> phases = {};
  };

  double lap(unsigned member) noexcept {
    const auto now = clock::now();
    const std::chrono::duration<double> out = now - members_[member].last;
    members_[member].last = now;
    return out.count();
  }

  std::vector<member_times> members_;
};

}  // namespace lorica
