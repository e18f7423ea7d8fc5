#include "text/bpe.hpp"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

namespace lorica {
namespace {

std::uint64_t pair_key(token_id left, token_id right) noexcept {
  return std::uint64_t{static_cast<std::uint32_t>(left)} << 32 | static_cast<std::uint32_t>(right);
}

}  // namespace

bpe::bpe(options o) : options_(std::move(o)) {
  slots_.resize(std::bit_ceil(2 * options_.merges.size() + 2));
  std::uint32_t rank = 0;
  for (auto& m : options_.merges)
    insert(m, rank++);
  options_.merges = {};
}

// Where the search for a key begins: the high half of a Fibonacci product, whose low bits alone would repeat.
std::size_t bpe::home(std::uint64_t key) const noexcept {
  auto mixed = key * 0x9e3779b97f4a7c15u;
  return static_cast<std::size_t>((mixed ^ mixed >> 32) & (slots_.size() - 1));
}

void bpe::insert(const merge& m, std::uint32_t rank) {
  auto key = pair_key(m.left, m.right);
  auto at = home(key);
  while (slots_[at].key != empty && slots_[at].key != key)
    at = (at + 1) & (slots_.size() - 1);
  slots_[at] = {key, {rank, m.joined}};
}

const bpe::target* bpe::find(token_id left, token_id right) const noexcept {
  auto key = pair_key(left, right);
  for (auto at = home(key); slots_[at].key != empty; at = (at + 1) & (slots_.size() - 1))
    if (slots_[at].key == key) return &slots_[at].to;
  return nullptr;
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

void bpe_run::load(std::string_view piece) {
  auto& o = model_->options_;
  symbols_.clear();
  bool open = false;  // the last symbol is an unknown token that may grow
  for (std::uint32_t i = 0; i < piece.size(); ++i) {
    auto id = o.byte_ids[static_cast<unsigned char>(piece[i])];
    if (id >= 0) {
      append({.id = id, .begin = i, .end = i + 1});
      open = false;
    } else if (open && o.fuse_unknown) {
      symbols_.back().token.end = i + 1;
    } else if (o.unknown) {
      append({.id = *o.unknown, .begin = i, .end = i + 1});
      open = true;
    }
  }
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
    if (!s.gone) out_.push_back(s.token);
  return out_;
}

}  // namespace lorica
