#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/generation.hpp"
#include "core/ids.hpp"
#include "engine/kv_blocks.hpp"
#include "engine/sequence.hpp"

namespace lorica {

/// What the K and V of a token depend on besides the tokens up to it. Sequences of different domains never
/// share a block.
struct prefix_domain {
  std::vector<std::pair<adapter_version, std::uint32_t>> composition;  ///< in order, with the bits of weights
  combination combine = combination::sum;
  std::string salt;  ///< whoever wants a cache of its own has another one

  auto operator<=>(const prefix_domain&) const = default;
};

prefix_domain domain_of(const sequence& s);

/// Blocks that were computed, by the tokens in them: a tree with a node per full block, whose path from the
/// root is the whole text up to it, compared token by token. A sequence that begins as an earlier one takes
/// its blocks instead of computing them (RadixAttention, Zheng et al. 2024, on whole blocks as in vLLM).
/// Blocks that no table holds are kept as long as the pool has empty ones; then the least recently used leaf
/// goes first. Nothing here costs memory of its own but the nodes, at most one per block. Lives on one thread
/// and outlives the pool's tables.
class prefix_cache final : public block_keeper {
 public:
  explicit prefix_cache(kv_blocks& pool);
  ~prefix_cache() override;

  /// A place in the tree: behind one of its blocks, or at the beginning of a domain. Stays good while a table
  /// holds that block.
  struct node;

  /// The block behind `at` (null: the beginning of `domain`) that holds `tokens`, exactly a block's; null:
  /// there is none.
  node* find(const prefix_domain& domain, node* at, std::span<const token_id> tokens) const;

  /// Notes that `block` holds `tokens` behind `at`, and gives its place. Where there is one already it stays,
  /// with its own block.
  node* add(const prefix_domain& domain, node* at, std::span<const token_id> tokens, std::uint32_t block);

  static std::uint32_t block_of(const node& n) noexcept;

  /// Blocks in the tree, held or kept.
  std::uint32_t size() const noexcept { return size_; }

  bool keep(std::uint32_t block) noexcept override;
  void taken(std::uint32_t block) noexcept override;
  std::uint32_t kept() const noexcept override { return kept_; }
  std::uint32_t give_up() noexcept override;

 private:
  struct by_tokens {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const noexcept;
  };
  using children = std::map<std::vector<token_id>, std::unique_ptr<node>, by_tokens>;

  void offer(node& n);

  kv_blocks& pool_;
  std::map<prefix_domain, children> domains_;
  std::vector<node*> of_block_;                     // null: not in the tree
  std::set<std::pair<std::uint64_t, node*>> ripe_;  // kept leaves by the time they were let go
  std::uint64_t clock_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t kept_ = 0;
};

}  // namespace lorica
