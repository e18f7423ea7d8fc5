#include "text/pre_tokenizer.hpp"

#include <optional>
#include <utility>

#include "core/utf8.hpp"
#include "text/pattern.hpp"

namespace lorica {

result<std::vector<pre_tokenizer::splitter>> pre_tokenizer::compile(const std::vector<split_rule>& rules) {
  std::vector<splitter> out;
  for (auto& rule : rules) {
    auto compiled = compile_pattern(rule.pattern);
    if (!compiled) return std::move(compiled).error();
    out.push_back({*std::move(compiled), rule.behaviour, rule.invert});
  }
  return out;
}

result<pre_tokenizer> pre_tokenizer::compile(const options& o) {
  auto rules = compile(o.rules);
  if (!rules) return std::move(rules).error();
  auto late_rules = compile(o.late_rules);
  if (!late_rules) return std::move(late_rules).error();
  pre_tokenizer out;
  out.rules_ = *std::move(rules);
  out.add_prefix_space_ = o.add_prefix_space;
  out.late_rules_ = *std::move(late_rules);
  return out;
}

// Matches and what is between them, in order. An empty match cuts where it stands, except right behind
// another.
result<std::vector<pre_tokenizer::stretch>> pre_tokenizer::matches(const splitter& s, std::string_view text) {
  std::vector<stretch> out;
  std::size_t done = 0;
  std::optional<std::size_t> last_end;
  for (std::size_t from = 0; from <= text.size();) {
    auto found = s.pattern.find(text, from);
    if (!found) return std::move(found).error();
    if (!*found) break;
    auto [begin, end] = **found;
    if (begin == end && last_end == end) {
      from += from < text.size() ? utf8_length(text.substr(from, 4)) : 1;
      continue;
    }
    if (done < begin) out.push_back({done, begin, s.invert});
    out.push_back({begin, end, !s.invert});
    done = from = end;
    last_end = end;
  }
  if (done < text.size()) out.push_back({done, text.size(), s.invert});
  return out;
}

result<pre_tokenizer::pieces> pre_tokenizer::apply(const std::vector<splitter>& splitters,
                                                   std::string_view text) {
  pieces current{{0, text.size()}};
  for (auto& s : splitters) {
    pieces next;
    for (auto& piece : current) {
      auto found = matches(s, text.substr(piece.begin, piece.end - piece.begin));
      if (!found) return std::move(found).error();
      bool was_match = false;
      bool first = true;
      for (auto& m : *found) {
        bool join =
            !first && ((s.behaviour == split_behaviour::merged_with_previous && m.match && !was_match) ||
                       (s.behaviour == split_behaviour::merged_with_next && !m.match && was_match) ||
                       (s.behaviour == split_behaviour::contiguous && m.match == was_match));
        bool drop = s.behaviour == split_behaviour::removed && m.match;
        if (join)
          next.back().end = piece.begin + m.end;
        else if (!drop)
          next.push_back({piece.begin + m.begin, piece.begin + m.end});
        was_match = m.match;
        first = false;
      }
    }
    std::erase_if(next, [](const text_piece& p) { return p.begin == p.end; });
    current = std::move(next);
  }
  return current;
}

// Cuts " " + piece, then counts the offsets without that space.
result<pre_tokenizer::pieces> pre_tokenizer::split_spaced(std::string_view text, text_piece piece) const {
  std::string spaced(1, ' ');
  spaced += text.substr(piece.begin, piece.end - piece.begin);
  auto cut = apply(late_rules_, spaced);
  if (!cut) return cut;
  for (auto& p : *cut) {
    p.space_before = p.begin == 0;
    p.begin = piece.begin + p.begin - (p.space_before ? 0 : 1);
    p.end = piece.begin + p.end - 1;
  }
  return cut;
}

result<std::vector<text_piece>> pre_tokenizer::split(std::string_view text) const {
  if (text.empty()) return pieces{};
  auto early = apply(rules_, text);
  if (!early || (late_rules_.empty() && !add_prefix_space_)) return early;
  pieces out;
  for (auto& piece : *early) {
    auto part = text.substr(piece.begin, piece.end - piece.begin);
    bool spaced = add_prefix_space_ && !part.starts_with(' ');
    auto cut = spaced ? split_spaced(text, piece) : apply(late_rules_, part);
    if (!cut) return cut;
    for (auto& p : *cut)
      out.push_back(spaced ? p : text_piece{piece.begin + p.begin, piece.begin + p.end, false});
  }
  return out;
}

}  // namespace lorica
