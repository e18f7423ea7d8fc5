#include "app/admin/adapter_order.hpp"

#include "app/admin/wording.hpp"

namespace lorica::admin {

adapter_order adapter_order_of(std::string_view word) noexcept {
  if (word == "requests") return adapter_order::requests;
  if (word == "bytes") return adapter_order::bytes;
  return word == "last-used" ? adapter_order::last_used : adapter_order::name;
}

bool comes_before(const value& a, const value& b, adapter_order order) {
  constexpr std::string_view figures[] = {"", "requests", "bytes", "last_used"};
  auto figure = figures[static_cast<std::size_t>(order)];
  if (!figure.empty()) {
    auto left = number_of(a, figure), right = number_of(b, figure);
    if (left != right) return left > right;
  }
  return text_of(a, "name") < text_of(b, "name");
}

std::string marks_of(const value& adapter) {
  std::string out;
  auto add = [&](std::string text) { out += (out.empty() ? "" : ", ") + std::move(text); };
  for (auto mark : {"pinned", "paused", "dynamic"})
    if (flag_of(adapter, mark)) add(mark);
  if (auto target = text_of(adapter, "alias_of"); !target.empty()) add("alias of " + target);
  if (auto failure = text_of(adapter, "failure"); !failure.empty()) add(failure);
  return out;
}

}  // namespace lorica::admin
