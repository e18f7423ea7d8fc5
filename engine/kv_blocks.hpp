#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lorica {

class kv_table;

/// Keeps what is in blocks that no table holds any more, until the pool needs them.
class block_keeper {
 public:
  virtual ~block_keeper() = default;

  /// The last table let go of a block. False: it is not kept, and free.
  virtual bool keep(std::uint32_t block) noexcept = 0;

  /// A kept block is in a table again.
  virtual void taken(std::uint32_t block) noexcept = 0;

  /// Blocks that are kept.
  virtual std::uint32_t kept() const noexcept = 0;

  /// Gives up what is in one kept block, which is free then; there is one.
  virtual std::uint32_t give_up() noexcept = 0;
};

/// Which blocks of the KV pool are free, and how many tables hold each other one. Ids only: the executor owns
/// the memory. Outlives its tables; lives on one thread.
class kv_blocks {
 public:
  /// A pool of `blocks` blocks of `block_tokens` (>= 1) tokens, all free.
  kv_blocks(std::uint32_t blocks, std::uint32_t block_tokens);
  kv_blocks(const kv_blocks&) = delete;
  kv_blocks& operator=(const kv_blocks&) = delete;

  /// From now on `keeper` is asked; it outlives every table. Null: every block is free when no table has it.
  void set_keeper(block_keeper* keeper) noexcept { keeper_ = keeper; }

  std::uint32_t total() const noexcept { return total_; }

  /// Blocks that tables can take: those with nothing in them, and those that are kept.
  std::uint32_t free() const noexcept {
    return static_cast<std::uint32_t>(free_.size()) + (keeper_ ? keeper_->kept() : 0);
  }
  std::uint32_t used() const noexcept { return total_ - free(); }
  std::uint32_t block_tokens() const noexcept { return block_tokens_; }

  /// Blocks with nothing in them, in no order.
  std::span<const std::uint32_t> empty() const noexcept { return free_; }

  /// Tables that hold a block.
  std::uint32_t holders(std::uint32_t block) const noexcept { return holders_[block]; }

  /// Blocks that hold `tokens` tokens.
  std::uint32_t blocks_for(std::uint64_t tokens) const noexcept;

 private:
  friend class kv_table;
  std::uint32_t take();
  void hold(std::uint32_t block) noexcept;
  void let_go(std::uint32_t block) noexcept;

  std::uint32_t total_;
  std::uint32_t block_tokens_;
  std::vector<std::uint32_t> free_;  // a stack: the block freed last is the warmest
  std::vector<std::uint32_t> holders_;
  block_keeper* keeper_ = nullptr;
};

/// The blocks of one sequence, in order; several tables may hold a block. The only way to hold one: a table
/// gives its blocks back exactly once, when cleared or destroyed.
class kv_table {
 public:
  explicit kv_table(kv_blocks& pool) noexcept : pool_(&pool) {}
  kv_table(kv_table&& other) noexcept;
  kv_table& operator=(kv_table&& other) noexcept;
  ~kv_table() { clear(); }

  /// Takes blocks until `tokens` tokens fit. All or nothing: false when the pool has too few, and nothing
  /// changed.
  [[nodiscard]] bool grow(std::uint64_t tokens);

  /// Takes `block`, which others hold or the keeper keeps, as the one at place `at`: behind the last one, or
  /// instead of the one that is there.
  void share(std::uint32_t at, std::uint32_t block);

  /// Gives all blocks back.
  void clear() noexcept;

  const std::vector<std::uint32_t>& ids() const noexcept { return ids_; }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(ids_.size()); }

 private:
  kv_blocks* pool_;
  std::vector<std::uint32_t> ids_;
};

}  // namespace lorica
