#include "engine/prefix_cache.hpp"

#include <algorithm>
#include <bit>

namespace lorica {

struct prefix_cache::node {
  std::uint32_t block = 0;
  node* parent = nullptr;  // null: the first of a text
  children behind;
  children::iterator self;  // where it hangs
  std::map<prefix_domain, children>::iterator domain;
  std::uint64_t let_go = 0;  // when no table held it any more
};

template <class A, class B>
bool prefix_cache::by_tokens::operator()(const A& a, const B& b) const noexcept {
  return std::ranges::lexicographical_compare(a, b);
}

prefix_domain domain_of(const sequence& s) {
  prefix_domain out;
  for (auto& share : s.composition)
    out.composition.emplace_back(share.version, std::bit_cast<std::uint32_t>(share.weight));
  out.combine = s.combine;
  out.salt = s.cache_salt;
  return out;
}

prefix_cache::prefix_cache(kv_blocks& pool) : pool_(pool), of_block_(pool.total()) {}

prefix_cache::~prefix_cache() = default;

std::uint32_t prefix_cache::block_of(const node& n) noexcept {
  return n.block;
}

prefix_cache::node* prefix_cache::find(const prefix_domain& domain, node* at,
                                       std::span<const token_id> tokens) const {
  auto root = at ? domains_.end() : domains_.find(domain);
  if (!at && root == domains_.end()) return nullptr;
  auto& list = at ? at->behind : root->second;
  auto found = list.find(tokens);
  return found == list.end() ? nullptr : found->second.get();
}

prefix_cache::node* prefix_cache::add(const prefix_domain& domain, node* at, std::span<const token_id> tokens,
                                      std::uint32_t block) {
  if (auto known = find(domain, at, tokens)) return known;
  auto root = at ? at->domain : domains_.try_emplace(domain).first;
  auto& list = at ? at->behind : root->second;
  auto made = std::make_unique<node>();
  auto out = made.get();
  out->block = block;
  out->parent = at;
  out->domain = root;
  out->self = list.emplace(std::vector<token_id>(tokens.begin(), tokens.end()), std::move(made)).first;
  of_block_[block] = out;
  ++size_;
  return out;
}

/// A leaf that no table holds may go.
void prefix_cache::offer(node& n) {
  if (n.behind.empty() && pool_.holders(n.block) == 0) ripe_.emplace(n.let_go, &n);
}

bool prefix_cache::keep(std::uint32_t block) noexcept {
  auto n = of_block_[block];
  if (!n) return false;
  n->let_go = ++clock_;
  ++kept_;
  offer(*n);
  return true;
}

void prefix_cache::taken(std::uint32_t block) noexcept {
  auto n = of_block_[block];
  ripe_.erase({n->let_go, n});
  --kept_;
}

std::uint32_t prefix_cache::give_up() noexcept {
  auto n = ripe_.begin()->second;
  ripe_.erase(ripe_.begin());
  auto block = n->block;
  auto parent = n->parent;
  auto domain = n->domain;
  of_block_[block] = nullptr;
  (parent ? parent->behind : domain->second).erase(n->self);
  if (parent) offer(*parent);
  if (!parent && domain->second.empty()) domains_.erase(domain);
  --size_;
  --kept_;
  return block;
}

}  // namespace lorica
