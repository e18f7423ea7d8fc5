#include <algorithm>
#include <limits>

#include "core/utf8.hpp"
#include "text/template_operators.hpp"

namespace lorica::jinja {
namespace {

// Which items a slice takes: `count` of them from `first`, `step` apart.
struct selection {
  std::int64_t first = 0, step = 1, count = 0;
};

std::optional<std::int64_t> bound_of(const slice_bound& bound) {
  if (!bound || bound->is_none()) return std::nullopt;
  if (bound->is_undefined() || !bound->as_integer())
    type_error("slice indices must be integers or None or have an __index__ method");
  return clamped(*bound->as_integer());
}

// Python's PySlice_AdjustIndices.
selection selected(std::size_t size, const slice_bound& start, const slice_bound& stop,
                   const slice_bound& by) {
  auto length = static_cast<std::int64_t>(size);
  auto step = bound_of(by).value_or(1);
  if (step == 0) value_error("slice step cannot be zero");
  step = std::max(step, -std::numeric_limits<std::int64_t>::max());
  auto lowest = step < 0 ? std::int64_t{-1} : 0;
  auto highest = step < 0 ? length - 1 : length;
  auto place = [&](const slice_bound& bound, std::int64_t fallback) {
    auto at = bound_of(bound);
    if (!at) return fallback;
    return *at < 0 ? std::max(*at < -length ? -1 : *at + length, lowest) : std::min(*at, highest);
  };
  auto from = place(start, step < 0 ? highest : lowest);
  auto to = place(stop, step < 0 ? lowest : highest);
  selection out{from, step, 0};
  if (step > 0 && from < to) out.count = (to - from - 1) / step + 1;
  if (step < 0 && to < from) out.count = (from - to - 1) / -step + 1;
  return out;
}

template_text characters(const template_text& t, const selection& s, std::size_t length) {
  bool ascii = length == t.text.size();
  auto at = [&](std::int64_t i) { return static_cast<std::size_t>(i); };
  if (s.count == 0) return {};
  if (ascii && s.step == 1) return t.part(at(s.first), at(s.first + s.count));
  std::vector<std::size_t> begins;
  for (std::size_t i = 0; i < t.text.size(); ++i)
    if (!utf8_is_tail(t.text[i])) begins.push_back(i);
  begins.push_back(t.text.size());
  if (s.step == 1) return t.part(begins[at(s.first)], begins[at(s.first + s.count)]);
  template_text out;
  for (std::int64_t i = 0; i < s.count; ++i) {
    auto c = at(s.first + i * s.step);
    out.append_part(t, begins[c], begins[c + 1]);
  }
  return out;
}

}  // namespace

datum sliced(const datum& v, const slice_bound& start, const slice_bound& stop, const slice_bound& step,
             meter& use) {
  if (v.is_undefined()) use_of_undefined(v);
  if (auto t = v.as_text()) {
    auto length = *length_of(v);
    auto s = selected(length, start, stop, step);
    use.make(t->text.size());
    if (s.step != 1) use.step(static_cast<std::size_t>(s.count) >> 2);
    return datum::string(characters(*t, s, length), v.is_markup());
  }
  auto list = v.as_list() ? v.as_list() : v.as_tuple();
  auto range = dynamic_cast<const range_object*>(v.as_object());
  if (!list && !range) {
    if (v.as_dict()) type_error("unhashable type: 'slice'");
    type_error("'" + std::string(v.type_name()) + "' object is not subscriptable");
  }
  auto s = selected(list ? list->list.size() : static_cast<std::size_t>(range->count), start, stop, step);
  if (range) {
    auto from = clamped(*range->at(s.first).as_integer());
    auto by = clamped(integer{range->step} * s.step);
    auto end = clamped(integer{from} + integer{by} * s.count);
    return datum::of(std::make_shared<range_object>(from, end, by, s.count));
  }
  use.step(static_cast<std::size_t>(s.count) >> 2);
  items out;
  for (std::int64_t i = 0; i < s.count; ++i)
    out.push_back(list->list[static_cast<std::size_t>(s.first + i * s.step)]);
  return v.as_list() ? datum::list(std::move(out)) : datum::tuple(std::move(out));
}

}  // namespace lorica::jinja
