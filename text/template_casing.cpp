#include "core/utf8.hpp"
#include "text/template_strings.hpp"
#include "text/unicode.hpp"

namespace lorica::jinja {
namespace {

constexpr char32_t capital_sigma = 0x3a3;

// Python's rule for the sigma at the end of a word: a cased letter somewhere before it, none behind it, those
// that ignore case left out.
bool is_final_sigma(std::string_view text, std::size_t begin, std::size_t end) {
  bool before = false;
  for (auto at = begin; at > 0;) {
    at = utf8_last(text.substr(0, at));
    auto c = utf8_decode(text.substr(at));
    if (is_case_ignorable(c)) continue;
    before = is_cased(c);
    break;
  }
  if (!before) return false;
  for (auto at = end; at < text.size(); at += utf8_length(text.substr(at, 4))) {
    auto c = utf8_decode(text.substr(at));
    if (!is_case_ignorable(c)) return !is_cased(c);
  }
  return true;
}

std::string lower_at(std::string_view text, std::size_t begin, std::size_t end, char32_t c) {
  if (c == capital_sigma && is_final_sigma(text, begin, end)) return "\u03c2";
  return full_lower(c);
}

// Each character through `map`, which is given the text, the character's bytes and its code point.
template <class Map>
template_text mapped(const template_text& t, meter& use, Map map) {
  use.make(t.text.size());
  use.step(t.text.size() >> 6);
  template_text out;
  out.text.reserve(t.text.size());
  std::string_view text = t.text;
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size(); at = end) {
    end = at + std::max<std::size_t>(1, utf8_length(text.substr(at, 4)));
    std::string with = map(text, at, end, utf8_decode(text.substr(at)));
    if (with == text.substr(at, end - at))
      out.append_part(t, at, end);
    else
      out.append(with, t.marked(at, end));
  }
  return out;
}

}  // namespace

template_text lowered(const template_text& t, meter& use) {
  return mapped(t, use, [](auto text, auto at, auto end, auto c) { return lower_at(text, at, end, c); });
}

template_text uppered(const template_text& t, meter& use) {
  return mapped(t, use, [](auto, auto, auto, auto c) { return full_upper(c); });
}

template_text case_folded(const template_text& t, meter& use) {
  return mapped(t, use, [](auto, auto, auto, auto c) { return full_fold(c); });
}

template_text capitalised(const template_text& t, meter& use) {
  return mapped(t, use, [](auto text, auto at, auto end, auto c) {
    return at == 0 ? full_title(c) : lower_at(text, at, end, c);
  });
}

template_text titled(const template_text& t, meter& use) {
  bool within = false;  // a word
  return mapped(t, use, [&](auto text, auto at, auto end, auto c) {
    auto out = within ? lower_at(text, at, end, c) : full_title(c);
    within = is_cased(c);
    return out;
  });
}

template_text case_swapped(const template_text& t, meter& use) {
  return mapped(t, use, [](auto text, auto at, auto end, auto c) {
    auto kind = case_of(c);
    if (kind == letter_case::upper) return lower_at(text, at, end, c);
    if (kind == letter_case::lower) return full_upper(c);
    return std::string(text.substr(at, end - at));
  });
}

}  // namespace lorica::jinja
