#include "actors/unknown_adapter.hpp"

#include <fmt/core.h>

#include <chrono>
#include <utility>

#include "adapters/refusal.hpp"
#include "core/shown.hpp"

namespace lorica {
namespace {

constexpr auto between_lines = std::chrono::seconds(10);

}  // namespace

bool nobody_has(const error& why, std::size_t adapters_named) {
  if (adapters_named != 1 || why.code != errc::unknown_adapter) return false;
  return why.reason.empty() || why.reason == refusal::hub_not_found;
}

std::optional<std::string> fallback_notes::note(std::string_view asked, time_point now) {
  ++untold_;
  if (last_ && now - *last_ < between_lines) return std::nullopt;
  last_ = now;
  auto count = std::exchange(untold_, 0);
  return fmt::format(
      "the base answered for '{}', which no adapter is called (--unknown-adapter base); {} such "
      "request{} since the last line",
      shown(asked), count, count == 1 ? "" : "s");
}

}  // namespace lorica
