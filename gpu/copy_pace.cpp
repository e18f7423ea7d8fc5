#include "gpu/copy_pace.hpp"

#include <cmath>
#include <utility>

namespace lorica::gpu {
namespace {

constexpr double newest = 0.25;  // weight of the latest measurement

}  // namespace

result<copy_pace> copy_pace::create() {
  auto from = event::create_timed();
  if (!from) return std::move(from).error();
  auto to = event::create_timed();
  if (!to) return std::move(to).error();
  return copy_pace(*std::move(from), *std::move(to));
}

result<void> copy_pace::begin(const stream& s) {
  if (auto ok = look(); !ok) return ok;
  if (phase_ == phase::ended) return {};
  phase_ = phase::begun;
  return from_.record(s);
}

result<void> copy_pace::end(const stream& s, std::uint64_t bytes) {
  if (phase_ != phase::begun) return {};
  phase_ = phase::ended;
  bytes_ = bytes;
  return to_.record(s);
}

result<void> copy_pace::look() {
  if (phase_ != phase::ended) return {};
  auto reached = to_.reached();
  if (!reached) return std::move(reached).error();
  if (!*reached) return {};
  phase_ = phase::idle;
  auto took = event::milliseconds(from_, to_);
  if (!took) return std::move(took).error();
  learn(bytes_, static_cast<double>(*took) * 1e-3);
  return {};
}

void copy_pace::learn(std::uint64_t bytes, double seconds) noexcept {
  const auto now = static_cast<double>(bytes) / seconds;
  if (!(now > 0) || !std::isfinite(now)) return;
  bytes_per_second_ = std::exchange(measured_, true) ? std::lerp(bytes_per_second_, now, newest) : now;
}

}  // namespace lorica::gpu
