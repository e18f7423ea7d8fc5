#include "text/template_text.hpp"

#include <algorithm>
#include <utility>

namespace lorica {
namespace {

// The first span that ends behind `at`.
template <class Spans>
auto first_behind(Spans& spans, std::size_t at) {
  return std::upper_bound(spans.begin(), spans.end(), at,
                          [](std::size_t place, const text_span& s) { return place < s.end; });
}

}  // namespace

template_text template_text::of_request(std::string text) {
  template_text out(std::move(text));
  out.mark(0, out.text.size());
  return out;
}

void template_text::mark(std::size_t begin, std::size_t end) {
  if (begin == end) return;
  if (!from_request.empty() && from_request.back().end == begin)
    from_request.back().end = end;
  else
    from_request.push_back({begin, end});
}

void template_text::append(std::string_view bytes, bool marked) {
  auto begin = text.size();
  text += bytes;
  if (marked) mark(begin, text.size());
}

void template_text::append(const template_text& other) {
  append_part(other, 0, other.text.size());
}

void template_text::append_part(const template_text& other, std::size_t begin, std::size_t end) {
  auto base = text.size();
  text.append(other.text, begin, end - begin);
  for (auto at = first_behind(other.from_request, begin); at != other.from_request.end() && at->begin < end;
       ++at)
    mark(base + std::max(at->begin, begin) - begin, base + std::min(at->end, end) - begin);
}

template_text template_text::part(std::size_t begin, std::size_t end) const {
  template_text out;
  out.append_part(*this, begin, end);
  return out;
}

bool template_text::marked(std::size_t begin, std::size_t end) const {
  auto at = first_behind(from_request, begin);
  return at != from_request.end() && at->begin < end;
}

void template_text::cut(std::size_t size) {
  if (size >= text.size()) return;
  text.resize(size);
  while (!from_request.empty() && from_request.back().begin >= size)
    from_request.pop_back();
  if (!from_request.empty()) from_request.back().end = std::min(from_request.back().end, size);
}

}  // namespace lorica
