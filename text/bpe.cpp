#include "text/bpe.hpp"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "core/utf8.hpp"

namespace lorica {
namespace {

std::uint64_t pair_key(token_id left, token_id right) noexcept {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

bpe::bpe(options o) : options_(std::move(o)) {
  slots_.resize(std::bit_ceil(2 * options_.merges.size() + 2));
  for (auto& m : options_.merges)
    insert(m);
  options_.merges = {};
}

// Where the search for a key begins: the high half of a Fibonacci product, whose low bits alone would repeat.
std::size_t bpe::home(std::uint64_t key) const noexcept {
  auto mixed = key * 0x9e3779b97f4a7c15u;
  return static_cast<std::size_t>((mixed ^ mixed >> 32) & (slots_.size() - 1));
}

void bpe::insert(const merge& m) {
  auto key = pair_key(m.left, m.right);
  auto at = home(key);
  while (slots_[at].key != empty && slots_[at].key != key)
    at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {key, {m.rank, m.joined}};
}

const bpe::target* bpe::find(token_id left, token_id right) const noexcept {
  auto key = pair_key(left, right);
  for (auto at = home(key); slots_[at].key != empty; at = (at + 1) & (slots_.size() - 1))
    if (slots_[at].key == key) return &slots_[at].to;
  return nullptr;
}

token_id bpe::token(std::string_view part) const noexcept {
  if (!options_.characters) return options_.byte_ids[static_cast<unsigned char>(part[0])];
  auto it = options_.characters->find(utf8_decode(part));
  return it == options_.characters->end() ? -1 : it->second;
}

bool bpe::has_bytes(std::string_view character) const noexcept {
  return std::all_of(character.begin(), character.end(),
                     [&](char c) { return options_.byte_ids[static_cast<unsigned char>(c)] >= 0; });
}

void bpe_run::append(placed_token token) {
  auto index = static_cast<std::uint32_t>(symbols_.size());
  symbol s{.token = token};
  if (index > 0) {
    s.previous = index - 1;
    symbols_.back().next = index;
  }
  symbols_.push_back(s);
}

bool bpe_run::load_bytes(std::string_view character, std::uint32_t begin) {
  if (!model_->has_bytes(character)) return false;
  for (char c : character) {
    append(
        {.id = model_->options_.byte_ids[static_cast<unsigned char>(c)], .begin = begin, .end = begin + 1});
    ++begin;
  }
  return true;
}

void bpe_run::load(std::string_view piece) {
  auto& o = model_->options_;
  symbols_.clear();
  // What has no token waits: it may grow, and bytes of a character may pass it as they do in the reference.
  std::optional<placed_token> waiting;
  auto append_waiting = [&] {
    if (waiting) append(*waiting);
    waiting.reset();
  };
  std::uint32_t end = 0;
  while (end < piece.size()) {
    auto begin = end;
    end += o.characters ? static_cast<std::uint32_t>(utf8_length(piece.substr(begin, 4))) : 1;
    auto part = piece.substr(begin, end - begin);
    if (auto id = model_->token(part); id >= 0) {
      append_waiting();
      append({.id = id, .begin = begin, .end = end});
    } else if (o.characters && load_bytes(part, begin)) {
      continue;
    } else if (waiting && o.fuse_unknown) {
      waiting->end = end;
    } else if (o.unknown) {
      append_waiting();
      waiting = {.id = *o.unknown, .begin = begin, .end = end};
    }
  }
  append_waiting();
}

// Lowest rank first, then leftmost: std heaps keep the greatest on top.
constexpr auto later = [](const auto& a, const auto& b) {
  return std::tie(a.rank, a.left) > std::tie(b.rank, b.left);
};

void bpe_run::consider(std::uint32_t left) {
  auto right = symbols_[left].next;
  if (right == none) return;
  auto to = model_->find(symbols_[left].token.id, symbols_[right].token.id);
  if (!to) return;
  if (model_->options_.passing.contains(to->joined)) {
    auto& token = symbols_[left].token;
    seen_[to->joined] = {token.id, symbols_[right].token.id, token.end - token.begin};
  }
  heap_.push_back({to->rank, left, to->joined});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

void bpe_run::join(const candidate& c) {
  auto& left = symbols_[c.left];
  if (left.gone || left.next == none) return;
  auto& right = symbols_[left.next];
  // The neighbours may have changed since this candidate was found.
  auto to = model_->find(left.token.id, right.token.id);
  if (!to || to->joined != c.joined) return;
  left.token = {.id = c.joined, .begin = left.token.begin, .end = right.token.end};
  left.next = right.next;
  right.gone = true;
  if (left.next != none) symbols_[left.next].previous = c.left;
  if (left.previous != none) consider(left.previous);
  consider(c.left);
}

std::span<const placed_token> bpe_run::operator()(std::string_view piece) {
  out_.clear();
  auto& whole = model_->options_.whole_pieces;
  if (!whole.empty()) {
    auto it = whole.find(std::string(piece));
    if (it != whole.end()) {
      out_.push_back({.id = it->second, .begin = 0, .end = static_cast<std::uint32_t>(piece.size())});
      return out_;
    }
  }
  load(piece);
  seen_.clear();
  heap_.clear();
  for (std::uint32_t i = 0; i < symbols_.size(); ++i)
    consider(i);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    auto next = heap_.back();
    heap_.pop_back();
    join(next);
  }
  for (auto& s : symbols_)
    if (!s.gone) emit(s.token, piece);
  return out_;
}

void bpe_run::emit(const placed_token& token, std::string_view piece) {
  std::vector<placed_token> rest;
  auto next = token;
  while (true) {
    auto parts = seen_.find(next.id);
    if (parts != seen_.end()) {
      auto middle = next.begin + parts->second.left_bytes;
      rest.push_back({.id = parts->second.right, .begin = middle, .end = next.end});
      next = {.id = parts->second.left, .begin = next.begin, .end = middle};
      continue;
    }
    emit_whole(next, piece);
    if (rest.empty()) return;
    next = rest.back();
    rest.pop_back();
  }
}

void bpe_run::emit_whole(const placed_token& token, std::string_view piece) {
  auto& o = model_->options_;
  bool lacks_token = token.id >= o.made_up;
  if (lacks_token && model_->has_bytes(piece.substr(token.begin, token.end - token.begin))) {
    for (auto at = token.begin; at < token.end; ++at)
      out_.push_back({.id = o.byte_ids[static_cast<unsigned char>(piece[at])], .begin = at, .end = at + 1});
    return;
  }
  if (lacks_token && !o.unknown) return;
  auto id = lacks_token ? *o.unknown : token.id;
  // Those that merges knew and those that they did not know meet here only.
  bool grows = o.made_up != bpe::no_made_up && o.fuse_unknown && id == o.unknown && !out_.empty() &&
               out_.back().id == id && out_.back().end == token.begin;
  if (grows)
    out_.back().end = token.end;
  else
    out_.push_back({.id = id, .begin = token.begin, .end = token.end});
}

}  // namespace lorica
