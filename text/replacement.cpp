#include "text/replacement.hpp"

#include <utility>

#include "core/utf8.hpp"

namespace lorica {
namespace {

constexpr std::size_t text_limit = std::size_t{1} << 30;

}  // namespace

result<replacement> replacement::compile(const source& s) {
  auto pattern = text_pattern::compile(s.pattern);
  if (!pattern) return std::move(pattern).error();
  return replacement(*std::move(pattern), s.content);
}

result<edited_text> replacement::apply(std::string_view text) const {
  auto stretches = pattern_.cut(text);
  if (!stretches) return std::move(stretches).error();
  text_editor out(text);
  std::size_t added = 0;
  for (auto& s : *stretches) {
    if (!s.match) {
      out.keep(s.end);
      continue;
    }
    out.replace(s.end, content_, s.end - utf8_last(text.substr(0, s.end)));
    added += content_.size();
    if (added > text_limit) return fail(errc::invalid, "text grows beyond 1 GiB when it is replaced");
  }
  return out.take();
}

}  // namespace lorica
