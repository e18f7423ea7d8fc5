#include <algorithm>

#include "core/utf8.hpp"
#include "text/template_strings.hpp"
#include "text/unicode.hpp"

namespace lorica::jinja {
namespace {

std::size_t next_character(std::string_view text, std::size_t at) {
  return at + std::max<std::size_t>(1, utf8_length(text.substr(at, 4)));
}

bool is_space_at(std::string_view text, std::size_t at) {
  return is_python_space(utf8_decode(text.substr(at)));
}

std::size_t space_end(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space_at(text, at))
    at = next_character(text, at);
  return at;
}

std::size_t word_end(std::string_view text, std::size_t at) {
  while (at < text.size() && !is_space_at(text, at))
    at = next_character(text, at);
  return at;
}

// The begin of the run before `end` whose characters are (or are not) white space.
std::size_t run_begin(std::string_view text, std::size_t end, bool space) {
  while (end > 0) {
    auto last = utf8_last(text.substr(0, end));
    if (is_space_at(text, last) != space) break;
    end = last;
  }
  return end;
}

// Parts cost a step each, and the bytes they copy.
class parts {
 public:
  parts(const template_text& t, meter& use) : t_(t), use_(use) { use.make(t.text.size()); }

  void add(std::size_t begin, std::size_t end) {
    use_.step();
    out.push_back(t_.part(begin, end));
  }

  std::vector<template_text> out;

 private:
  const template_text& t_;
  meter& use_;
};

bool is_line_end(char32_t c) {
  return (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

}  // namespace

std::u32string code_points(std::string_view text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size(); at = next_character(text, at))
    out += utf8_decode(text.substr(at));
  return out;
}

template_text stripped(const template_text& t, text_end end, std::optional<std::string_view> chars,
                       meter& use) {
  std::string_view text = t.text;
  auto set = chars ? code_points(*chars) : std::u32string();
  auto goes = [&](std::size_t at) {
    auto c = utf8_decode(text.substr(at));
    return chars ? set.find(c) != std::u32string::npos : is_python_space(c);
  };
  std::size_t begin = 0, stop = text.size();
  if (end != text_end::right)
    while (begin < stop && goes(begin))
      begin = next_character(text, begin);
  if (end != text_end::left)
    while (stop > begin) {
      auto last = utf8_last(text.substr(0, stop));
      if (!goes(last)) break;
      stop = last;
    }
  use.make(text.size());
  return t.part(begin, stop);
}

std::vector<template_text> split(const template_text& t, std::int64_t most, meter& use) {
  parts out(t, use);
  std::string_view text = t.text;
  for (auto at = space_end(text, 0); at < text.size();) {
    if (most >= 0 && static_cast<std::int64_t>(out.out.size()) == most) {
      out.add(at, text.size());  // with the white space behind it
      break;
    }
    auto end = word_end(text, at);
    out.add(at, end);
    at = space_end(text, end);
  }
  return std::move(out.out);
}

std::vector<template_text> split(const template_text& t, std::string_view separator, std::int64_t most,
                                 meter& use) {
  if (separator.empty()) value_error("empty separator");
  parts out(t, use);
  std::size_t at = 0;
  while (most < 0 || static_cast<std::int64_t>(out.out.size()) < most) {
    auto found = t.text.find(separator, at);
    if (found == std::string::npos) break;
    out.add(at, found);
    at = found + separator.size();
  }
  out.add(at, t.text.size());
  return std::move(out.out);
}

std::vector<template_text> split_right(const template_text& t, std::int64_t most, meter& use) {
  parts out(t, use);
  std::string_view text = t.text;
  for (auto end = run_begin(text, text.size(), true); end > 0;) {
    if (most >= 0 && static_cast<std::int64_t>(out.out.size()) == most) {
      out.add(0, end);  // with the white space before it
      break;
    }
    auto begin = run_begin(text, end, false);
    out.add(begin, end);
    end = run_begin(text, begin, true);
  }
  std::reverse(out.out.begin(), out.out.end());
  return std::move(out.out);
}

std::vector<template_text> split_right(const template_text& t, std::string_view separator, std::int64_t most,
                                       meter& use) {
  if (separator.empty()) value_error("empty separator");
  parts out(t, use);
  auto end = t.text.size();
  while (most < 0 || static_cast<std::int64_t>(out.out.size()) < most) {
    if (end < separator.size()) break;
    auto found = t.text.rfind(separator, end - separator.size());
    if (found == std::string::npos) break;
    out.add(found + separator.size(), end);
    end = found;
  }
  out.add(0, end);
  std::reverse(out.out.begin(), out.out.end());
  return std::move(out.out);
}

std::vector<template_text> lines_of(const template_text& t, bool keep_ends, meter& use) {
  parts out(t, use);
  std::string_view text = t.text;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    auto next = next_character(text, at);
    if (!is_line_end(utf8_decode(text.substr(at)))) {
      at = next;
      continue;
    }
    if (text[at] == '\r' && next < text.size() && text[next] == '\n') ++next;
    out.add(begin, keep_ends ? next : at);
    begin = at = next;
  }
  if (begin < text.size()) out.add(begin, text.size());
  return std::move(out.out);
}

template_text replaced(const template_text& t, std::string_view old, const template_text& with,
                       std::int64_t most, meter& use) {
  use.make(t.text.size());
  template_text out;
  std::size_t at = 0;
  auto put = [&](std::size_t end) {
    use.make(with.text.size());
    use.step();
    out.append_part(t, at, end);
    out.append(with);
  };
  auto left = [&] { return most < 0 || most-- > 0; };
  if (old.empty()) {
    // Before every character and at the end.
    for (std::size_t next = 0; left(); next = next_character(t.text, next)) {
      put(next);
      at = next;
      if (next >= t.text.size()) break;
    }
  } else {
    for (auto found = t.text.find(old); found != std::string::npos && left(); found = t.text.find(old, at)) {
      put(found);
      at = found + old.size();
    }
  }
  out.append_part(t, at, t.text.size());
  return out;
}

}  // namespace lorica::jinja
