#include "actors/startup_decisions.hpp"

#include <fmt/core.h>

#include <utility>

#include "core/log.hpp"

namespace lorica {

startup_decisions::startup_decisions(std::size_t count, bool skip_bad, std::function<void(result<void>)> tell)
    : left_(count), skip_bad_(skip_bad), tell_(std::move(tell)) {
  if (left_ == 0) std::exchange(tell_, nullptr)({});
}

void startup_decisions::decide(const std::string& name, const result<void>& outcome) {
  if (left_ == 0) return;
  --left_;
  if (!outcome) {
    auto why = outcome.error();
    why.text = fmt::format("Adapter `{}`: {}", name, why.text);
    log_warn("{}{}", why.text, why.reason.empty() ? "" : " (" + why.reason + ")");
    if (!skip_bad_ && tell_) std::exchange(tell_, nullptr)(std::move(why));
  }
  if (left_ == 0 && tell_) std::exchange(tell_, nullptr)({});
}

}  // namespace lorica
