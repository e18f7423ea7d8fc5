#include "text/traced_text.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "core/utf8.hpp"

namespace lorica {
namespace {

std::pair<std::size_t, std::size_t> before(const std::vector<text_change>& changes, std::size_t begin,
                                           std::size_t end) {
  // The last change that begins at or before `at`, as an iterator one past it.
  auto after = [&](std::size_t at) {
    return std::upper_bound(changes.begin(), changes.end(), at,
                            [](std::size_t where, const text_change& c) { return where < c.begin; });
  };
  std::pair<std::size_t, std::size_t> out{begin, end};
  if (auto next = after(begin); next != changes.begin()) {
    auto& c = *std::prev(next);
    out.first = begin < c.end ? c.old_begin : c.old_end + (begin - c.end);
  }
  if (end == begin) return {out.first, out.first};
  if (auto next = after(end - 1); next != changes.begin()) {
    auto& c = *std::prev(next);
    out.second = end <= c.end ? c.old_end : c.old_end + (end - c.end);
  }
  return out;
}

}  // namespace

void traced_text::edit(edited_text next) {
  text_ = std::move(next.text);
  if (!next.changes.empty()) edits_.push_back(std::move(next.changes));
}

std::pair<std::size_t, std::size_t> traced_text::origin(std::size_t begin, std::size_t end) const {
  for (auto changes = edits_.rbegin(); changes != edits_.rend(); ++changes)
    std::tie(begin, end) = before(*changes, begin, end);
  begin += base_;
  end += base_;
  return parent_ ? parent_->origin(begin, end) : std::pair{begin, end};
}

void text_editor::keep(std::size_t end) {
  out_.text += text_.substr(done_, end - done_);
  done_ = end;
}

void text_editor::insert(std::string_view text) {
  auto length = utf8_length(text_.substr(done_, 4));
  replace(done_ + length, std::string(text).append(text_.substr(done_, length)), length);
}

void text_editor::replace(std::size_t end, std::string_view replacement, std::size_t origin) {
  auto begin = out_.text.size();
  out_.text += replacement;
  out_.changes.push_back({begin, out_.text.size(), end - origin, end});
  done_ = end;
}

edited_text text_editor::take() {
  keep(text_.size());
  return std::move(out_);
}

}  // namespace lorica
