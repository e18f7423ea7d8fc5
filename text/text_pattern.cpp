#include "text/text_pattern.hpp"

#include <utility>

#include "core/utf8.hpp"
#include "text/pattern.hpp"

namespace lorica {

result<text_pattern> text_pattern::compile(const pattern_source& source) {
  text_pattern out;
  if (source.literal) {
    out.literal_ = source.text;
    return out;
  }
  auto expression = compile_pattern(source.text);
  if (!expression) return std::move(expression).error();
  out.expression_ = *std::move(expression);
  return out;
}

std::vector<text_stretch> text_pattern::cut_literal(std::string_view text) const {
  std::vector<text_stretch> out;
  std::size_t done = 0;
  for (auto at = text.find(literal_); at != std::string_view::npos; at = text.find(literal_, done)) {
    if (done < at) out.push_back({done, at, false});
    done = at + literal_.size();
    out.push_back({at, done, true});
  }
  if (done < text.size()) out.push_back({done, text.size(), false});
  return out;
}

result<std::vector<text_stretch>> text_pattern::cut(std::string_view text) const {
  if (!expression_) return cut_literal(text);
  std::vector<text_stretch> out;
  if (text.empty()) return out;
  std::size_t done = 0;
  std::optional<std::size_t> last_end;
  for (std::size_t from = 0; from <= text.size();) {
    auto found = expression_->find(text, from);
    if (!found) return std::move(found).error();
    if (!*found) break;
    auto [begin, end] = **found;
    if (begin == end && last_end == end) {
      from += from < text.size() ? utf8_length(text.substr(from, 4)) : 1;
      continue;
    }
    if (done < begin) out.push_back({done, begin, false});
    out.push_back({begin, end, true});
    done = from = end;
    last_end = end;
  }
  if (done < text.size()) out.push_back({done, text.size(), false});
  return out;
}

}  // namespace lorica
