#pragma once

#include <cstdint>
#include <vector>

namespace lorica {

class kv_table;

/// Which blocks of the KV pool are free. Ids only: the executor owns the memory. Outlives its tables; lives
/// on one thread.
class kv_blocks {
 public:
  /// A pool of `blocks` blocks of `block_tokens` (>= 1) tokens, all free.
  kv_blocks(std::uint32_t blocks, std::uint32_t block_tokens);
  kv_blocks(const kv_blocks&) = delete;
  kv_blocks& operator=(const kv_blocks&) = delete;

  std::uint32_t total() const noexcept { return total_; }
  std::uint32_t free() const noexcept { return static_cast<std::uint32_t>(free_.size()); }
  std::uint32_t used() const noexcept { return total_ - free(); }
  std::uint32_t block_tokens() const noexcept { return block_tokens_; }

  /// Blocks that hold `tokens` tokens.
  std::uint32_t blocks_for(std::uint64_t tokens) const noexcept;

 private:
  friend class kv_table;
  std::uint32_t total_;
  std::uint32_t block_tokens_;
  std::vector<std::uint32_t> free_;  // a stack: the block freed last is the warmest
};

/// The blocks of one sequence, in order. The only way to hold a block: it gives its blocks back exactly once,
/// when cleared or destroyed.
class kv_table {
 public:
  explicit kv_table(kv_blocks& pool) noexcept : pool_(&pool) {}
  kv_table(kv_table&& other) noexcept;
  kv_table& operator=(kv_table&& other) noexcept;
  ~kv_table() { clear(); }

  /// Takes blocks until `tokens` tokens fit. All or nothing: false when the pool has too few, and nothing
  /// changed.
  [[nodiscard]] bool grow(std::uint64_t tokens);

  /// Gives all blocks back.
  void clear() noexcept;

  const std::vector<std::uint32_t>& ids() const noexcept { return ids_; }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(ids_.size()); }

 private:
  kv_blocks* pool_;
  std::vector<std::uint32_t> ids_;
};

}  // namespace lorica
