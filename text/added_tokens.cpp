#include "text/added_tokens.hpp"

#include <algorithm>

#include "core/utf8.hpp"
#include "text/unicode.hpp"

namespace lorica {
namespace {

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  auto before = text.substr(0, begin);
  bool word_before = begin > 0 && is_word_character(utf8_decode(before.substr(utf8_last(before))));
  bool word_after = end < text.size() && is_word_character(utf8_decode(text.substr(end)));
  return !word_before && !word_after;
}

// Child of a trie node, or the place where it belongs.
template <class Children>
auto child_of(Children& children, unsigned char byte) {
  return std::lower_bound(children.begin(), children.end(), byte,
                          [](const auto& child, unsigned char b) { return child.first < b; });
}

}  // namespace

added_token_matcher::added_token_matcher(std::vector<added_token> tokens)
    : tokens_(std::move(tokens)), nodes_(1) {
  for (std::uint32_t i = 0; i < tokens_.size(); ++i)
    if (!tokens_[i].content.empty()) insert(tokens_[i].content, i);
}

void added_token_matcher::insert(std::string_view content, std::uint32_t token) {
  begins_[static_cast<unsigned char>(content[0])] = true;
  std::uint32_t at = 0;
  for (char c : content) {
    auto byte = static_cast<unsigned char>(c);
    auto child = child_of(nodes_[at].children, byte);
    if (child != nodes_[at].children.end() && child->first == byte) {
      at = child->second;
      continue;
    }
    auto next = static_cast<std::uint32_t>(nodes_.size());
    nodes_[at].children.insert(child, {byte, next});
    nodes_.emplace_back();
    at = next;
  }
  if (!nodes_[at].token) nodes_[at].token = token;
}

std::optional<added_token_matcher::hit> added_token_matcher::longest(std::string_view text, std::size_t begin,
                                                                     const permission& allowed) const {
  std::optional<hit> best;
  const node* at = &nodes_[0];
  for (auto i = begin; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    auto child = child_of(at->children, byte);
    if (child == at->children.end() || child->first != byte) break;
    at = &nodes_[child->second];
    if (at->token && (!allowed || allowed(begin, i + 1))) best = hit{i + 1, *at->token};
  }
  return best;
}

std::vector<added_token_matcher::section> added_token_matcher::cut(std::string_view text,
                                                                   const permission& allowed) const {
  std::vector<section> out;
  std::size_t done = 0;  // end of the last section
  for (std::size_t i = 0; i < text.size();) {
    auto found = begins_[static_cast<unsigned char>(text[i])] ? longest(text, i, allowed) : std::nullopt;
    if (!found) {
      ++i;
      continue;
    }
    auto& token = tokens_[found->token];
    auto begin = i;
    auto end = found->end;
    i = end;
    // A match that is refused still keeps its characters from other tokens.
    if (token.single_word && !stands_alone(text, begin, end)) continue;
    // White space that the token before swallowed may hold this one: it is found again, and vanishes if it
    // strips as well, as in the reference.
    if (token.lstrip) begin = std::max(white_space_begin(text, begin, done), done);
    if (token.rstrip) end = white_space_end(text, end);
    if (done < begin) out.push_back({done, begin, {}});
    if (begin < end) out.push_back({begin, end, token.id});
    if (begin <= end) done = end;
  }
  if (done < text.size()) out.push_back({done, text.size(), {}});
  return out;
}

}  // namespace lorica
