#include "text/pre_tokenizer.hpp"

#include <utility>

namespace lorica {

result<pre_tokenizer> pre_tokenizer::compile(const std::vector<rule>& rules) {
  pre_tokenizer out;
  for (auto& r : rules) {
    if (auto space = std::get_if<space_rule>(&r)) {
      out.steps_.emplace_back(*space);
      continue;
    }
    auto& split = std::get<split_rule>(r);
    auto pattern = text_pattern::compile(split.pattern);
    if (!pattern) return std::move(pattern).error();
    out.steps_.emplace_back(splitter{*std::move(pattern), split.behaviour, split.invert});
  }
  return out;
}

result<pre_tokenizer::pieces> pre_tokenizer::apply(const splitter& s, const pieces& in,
                                                   std::string_view text) {
  pieces out;
  for (auto& piece : in) {
    auto found = s.pattern.cut(text.substr(piece.begin, piece.end - piece.begin));
    if (!found) return std::move(found).error();
    bool was_match = false;
    bool first = true;
    for (auto& stretch : *found) {
      bool match = stretch.match != s.invert;
      bool join = !first && ((s.behaviour == split_behaviour::merged_with_previous && match && !was_match) ||
                             (s.behaviour == split_behaviour::merged_with_next && !match && was_match) ||
                             (s.behaviour == split_behaviour::contiguous && match == was_match));
      bool drop = s.behaviour == split_behaviour::removed && match;
      if (join)
        out.back().end = piece.begin + stretch.end;
      else if (!drop)
        out.push_back({piece.begin + stretch.begin, piece.begin + stretch.end});
      was_match = match;
      first = false;
    }
  }
  std::erase_if(out, [](const text_piece& p) { return p.begin == p.end; });
  return out;
}

pre_tokenizer::pieces pre_tokenizer::apply(const space_rule& rule, const pieces& in, traced_text& text) {
  auto whole = text.text();
  text_editor editor(whole);
  pieces out;
  out.reserve(in.size());
  for (auto& piece : in) {
    editor.keep(piece.begin);
    auto begin = editor.size();
    auto part = whole.substr(piece.begin, piece.end - piece.begin);
    bool wanted = rule.prefix == space_prefix::always ||
                  (rule.prefix == space_prefix::first && text.origin(piece.begin, piece.end).first == 0);
    if (wanted && !part.starts_with(' ') && !part.starts_with(rule.symbol)) editor.insert(rule.symbol);
    if (rule.symbol != " ")
      for (auto at = part.find(' '); at != std::string_view::npos; at = part.find(' ', at + 1)) {
        editor.keep(piece.begin + at);
        editor.replace(piece.begin + at + 1, rule.symbol, 1);
      }
    editor.keep(piece.end);
    out.push_back({begin, editor.size()});
  }
  text.edit(editor.take());
  return out;
}

result<std::vector<text_piece>> pre_tokenizer::split(traced_text& text) const {
  pieces out;
  if (text.text().empty()) return out;
  out.push_back({0, text.text().size()});
  for (auto& step : steps_) {
    if (auto space = std::get_if<space_rule>(&step)) {
      out = apply(*space, out, text);
      continue;
    }
    auto cut = apply(std::get<splitter>(step), out, text.text());
    if (!cut) return cut;
    out = *std::move(cut);
  }
  return out;
}

}  // namespace lorica
