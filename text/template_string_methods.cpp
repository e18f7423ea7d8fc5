#include <algorithm>
#include <functional>
#include <map>

#include "core/utf8.hpp"
#include "text/template_attributes.hpp"
#include "text/template_escape.hpp"
#include "text/template_format.hpp"
#include "text/template_operators.hpp"
#include "text/template_repr.hpp"
#include "text/template_strings.hpp"
#include "text/unicode.hpp"

namespace lorica::jinja {
namespace {

// A call on a string: what the methods work with.
struct string_call {
  const datum& self;
  const std::string& name;
  const call_arguments& given;
  meter& use;

  const template_text& text() const { return *self.as_text(); }
  datum made(template_text t) const { return datum::string(std::move(t), self.is_markup()); }
  bound_arguments bound(std::initializer_list<std::string_view> names, std::size_t required = 0) const {
    return bound_arguments(given, name, names, required);
  }
  void nothing() const { bound({}); }
};

using method = datum (*)(const string_call&);

datum list_of(std::vector<template_text> parts, const string_call& c) {
  items out;
  for (auto& p : parts)
    out.push_back(c.made(std::move(p)));
  return datum::list(std::move(out));
}

template <template_text (*Map)(const template_text&, meter&)>
datum mapped(const string_call& c) {
  c.nothing();
  return c.made(Map(c.text(), c.use));
}

template <text_end End>
datum strip(const string_call& c) {
  auto a = c.bound({"chars"});
  std::optional<std::string_view> chars;
  if (a.given(0) && !a.at(0).is_none()) chars = a.text(0).text;
  return c.made(stripped(c.text(), End, chars, c.use));
}

template <bool Right>
datum split_method(const string_call& c) {
  auto a = c.bound({"sep", "maxsplit"});
  auto most = a.whole(1, std::int64_t{-1});
  if (!a.given(0) || a.at(0).is_none())
    return list_of(Right ? split_right(c.text(), most, c.use) : split(c.text(), most, c.use), c);
  auto& separator = a.text(0).text;
  return list_of(
      Right ? split_right(c.text(), separator, most, c.use) : split(c.text(), separator, most, c.use), c);
}

datum split_lines(const string_call& c) {
  return list_of(lines_of(c.text(), c.bound({"keepends"}).truth(0, false), c.use), c);
}

template <bool Right>
datum partition(const string_call& c) {
  auto a = c.bound({"sep"}, 1);
  auto& separator = a.text(0);
  if (separator.text.empty()) value_error("empty separator");
  auto& t = c.text();
  auto at = Right ? t.text.rfind(separator.text) : t.text.find(separator.text);
  c.use.make(t.text.size());
  if (at == std::string::npos) {
    auto none = c.made({});
    return datum::tuple(Right ? items{none, none, c.self} : items{c.self, none, none});
  }
  auto end = at + separator.text.size();
  return datum::tuple({c.made(t.part(0, at)), c.made(separator), c.made(t.part(end, t.text.size()))});
}

datum replace(const string_call& c) {
  auto a = c.bound({"old", "new", "count"}, 2);
  auto with = c.self.is_markup() && !a.at(1).is_markup() ? html_escaped(a.text(1), c.use) : a.text(1);
  return c.made(replaced(c.text(), a.text(0).text, with, a.whole(2, std::int64_t{-1}), c.use));
}

datum join(const string_call& c) {
  auto a = c.bound({"iterable"}, 1);
  template_text out;
  auto steps = walk(a.at(0));
  for (std::size_t count = 0; auto next = steps->next(); ++count) {
    auto t = next->as_text();
    if (!t)
      type_error("sequence item " + std::to_string(count) + ": expected str instance, " +
                 std::string(next->type_name()) + " found");
    c.use.step();
    c.use.make(t->text.size() + c.text().text.size());
    if (count > 0) out.append(c.text());
    out.append(*t);
  }
  return c.made(std::move(out));
}

// The part of a string that `start` and `end` of find, count and startswith name, in bytes.
std::optional<std::pair<std::size_t, std::size_t>> window(const string_call& c, const bound_arguments& a) {
  auto length = static_cast<std::int64_t>(*length_of(c.self));
  auto bound = [&](std::size_t i, std::int64_t fallback) {
    if (!a.given(i) || a.at(i).is_none()) return fallback;
    auto at = a.whole(i, fallback);
    return at < 0 ? std::max<std::int64_t>(at < -length ? 0 : at + length, 0) : at;
  };
  auto start = bound(1, 0), end = std::min(bound(2, length), length);
  if (start > end || start > length) return std::nullopt;
  auto byte = [&](std::int64_t i) {
    return i == length ? c.text().text.size()
                       : character_at(c.text().text, static_cast<std::size_t>(i)).first;
  };
  return std::pair(byte(start), byte(end));
}

template <bool Right, bool Fails>
datum find(const string_call& c) {
  auto a = c.bound({"sub", "start", "end"}, 1);
  auto& sub = a.text(0).text;
  c.use.step(c.text().text.size() >> 8);
  auto part = window(c, a);
  std::string_view text = c.text().text;
  auto at = std::string_view::npos;
  if (part) {
    auto within = text.substr(part->first, part->second - part->first);
    at = Right ? within.rfind(sub) : within.find(sub);
  }
  if (at == std::string_view::npos) {
    if (Fails) value_error("substring not found");
    return datum::number(-1);
  }
  auto before = text.substr(0, part->first + at);
  return datum::number(std::count_if(before.begin(), before.end(), [](char b) { return !utf8_is_tail(b); }));
}

datum count(const string_call& c) {
  auto a = c.bound({"sub", "start", "end"}, 1);
  auto& sub = a.text(0).text;
  auto part = window(c, a);
  if (!part) return datum::number(0);
  auto within = std::string_view(c.text().text).substr(part->first, part->second - part->first);
  c.use.step(within.size() >> 8);
  if (sub.empty())
    return datum::number(
        1 + std::count_if(within.begin(), within.end(), [](char b) { return !utf8_is_tail(b); }));
  integer n = 0;
  for (auto at = within.find(sub); at != std::string_view::npos; at = within.find(sub, at + sub.size()))
    ++n;
  return datum::number(n);
}

template <bool End>
datum begins(const string_call& c) {
  auto a = c.bound({"prefix", "start", "end"}, 1);
  auto part = window(c, a);
  auto matches = [&](const datum& v) {
    auto t = v.as_text();
    if (!t)
      type_error(c.name + " first arg must be str or a tuple of str, not " + std::string(v.type_name()));
    if (!part) return false;
    auto within = std::string_view(c.text().text).substr(part->first, part->second - part->first);
    return End ? within.ends_with(t->text) : within.starts_with(t->text);
  };
  auto choices = a.at(0).as_tuple();
  if (!choices) return datum::boolean(matches(a.at(0)));
  return datum::boolean(std::any_of(choices->list.begin(), choices->list.end(), matches));
}

template <bool End>
datum remove_affix(const string_call& c) {
  auto a = c.bound({"affix"}, 1);
  auto& affix = a.text(0).text;
  auto& t = c.text();
  c.use.make(t.text.size());
  if (End && !affix.empty() && t.text.ends_with(affix))
    return c.made(t.part(0, t.text.size() - affix.size()));
  if (!End && t.text.starts_with(affix)) return c.made(t.part(affix.size(), t.text.size()));
  return c.self;
}

// Python centres with the odd space on the left when the width is odd.
template <char Align>
datum justify(const string_call& c) {
  auto a = c.bound({"width", "fillchar"}, 1);
  auto width = a.whole(0, std::int64_t{0});
  template_text fill(" ");
  if (a.given(1)) fill = a.text(1);
  if (length_of(datum::string(fill)) != 1)
    type_error("The fill character must be exactly one character long");
  auto length = static_cast<std::int64_t>(*length_of(c.self));
  if (width <= length) return c.self;
  auto missing = width - length;
  auto left = Align == '<' ? 0 : Align == '>' ? missing : missing / 2 + (missing & width & 1);
  auto out = padded(c.text(), length + left, '>', fill.text, c.use);
  return c.made(padded(out, width, '<', fill.text, c.use));
}

datum zero_fill(const string_call& c) {
  auto width = c.bound({"width"}, 1).whole(0, std::int64_t{0});
  auto& t = c.text();
  bool sign = t.text.starts_with('+') || t.text.starts_with('-');
  template_text out = t.part(0, sign ? 1 : 0);
  out.append(padded(t.part(sign ? 1 : 0, t.text.size()), sign ? width - 1 : width, '>', "0", c.use));
  return c.made(std::move(out));
}

datum expand_tabs(const string_call& c) {
  auto size = c.bound({"tabsize"}).whole(0, std::int64_t{8});
  template_text out;
  std::int64_t column = 0;
  for (std::size_t i = 0; i < c.text().text.size(); ++i) {
    char b = c.text().text[i];
    if (b == '\t') {
      auto spaces = size > 0 ? size - column % size : 0;
      c.use.make(static_cast<std::size_t>(spaces));
      out.append(std::string(static_cast<std::size_t>(spaces), ' '), c.text().marked(i, i + 1));
      column += spaces;
      continue;
    }
    out.append_part(c.text(), i, i + 1);
    if (b == '\n' || b == '\r')
      column = 0;
    else if (!utf8_is_tail(b))
      ++column;
  }
  return c.made(std::move(out));
}

datum format(const string_call& c) {
  return brace_format(c.self, c.given, c.use);
}

datum format_map(const string_call& c) {
  if (!c.given.named.empty() || c.given.positional.size() != 1)
    type_error("format_map() takes exactly one argument");
  auto d = c.given.positional[0].as_dict();
  if (!d) type_error("format_map() argument must be a mapping");
  call_arguments spread;
  for (auto& [key, v] : d->entries)
    if (auto name = key.as_text()) spread.named.emplace_back(name->text, v);
  return brace_format(c.self, spread, c.use);
}

const std::map<std::string_view, method>& methods() {
  static const std::map<std::string_view, method> table = {
      {"capitalize", mapped<capitalised>},
      {"casefold", mapped<case_folded>},
      {"center", justify<'^'>},
      {"count", count},
      {"encode", nullptr},
      {"endswith", begins<true>},
      {"expandtabs", expand_tabs},
      {"find", find<false, false>},
      {"format", format},
      {"format_map", format_map},
      {"index", find<false, true>},
      {"join", join},
      {"ljust", justify<'<'>},
      {"lower", mapped<lowered>},
      {"lstrip", strip<text_end::left>},
      {"maketrans", nullptr},
      {"partition", partition<false>},
      {"removeprefix", remove_affix<false>},
      {"removesuffix", remove_affix<true>},
      {"replace", replace},
      {"rfind", find<true, false>},
      {"rindex", find<true, true>},
      {"rjust", justify<'>'>},
      {"rpartition", partition<true>},
      {"rsplit", split_method<true>},
      {"rstrip", strip<text_end::right>},
      {"split", split_method<false>},
      {"splitlines", split_lines},
      {"startswith", begins<false>},
      {"strip", strip<text_end::both>},
      {"swapcase", mapped<case_swapped>},
      {"title", mapped<titled>},
      {"translate", nullptr},
      {"upper", mapped<uppered>},
      {"zfill", zero_fill},
  };
  return table;
}

}  // namespace

bool is_string_method(std::string_view name) {
  return methods().contains(name) || find_question(name);
}

datum call_string_method(const datum& self, const std::string& name, const call_arguments& given,
                         meter& use) {
  if (auto question = find_question(name)) {
    bound_arguments none(given, name, {});
    return datum::boolean(question(self.as_text()->text));
  }
  auto found = methods().at(name);
  if (!found) throw failure(failure_kind::unsupported, "the method '" + name + "' of str is not supported");
  return found({self, name, given, use});
}

}  // namespace lorica::jinja
