#include "engine/kv_blocks.hpp"

#include <utility>

namespace lorica {

kv_blocks::kv_blocks(std::uint32_t blocks, std::uint32_t block_tokens)
    : total_(blocks), block_tokens_(block_tokens) {
  free_.reserve(blocks);
  for (auto id = blocks; id > 0; --id)
    free_.push_back(id - 1);
}

std::uint32_t kv_blocks::blocks_for(std::uint64_t tokens) const noexcept {
  return static_cast<std::uint32_t>((tokens + block_tokens_ - 1) / block_tokens_);
}

kv_table::kv_table(kv_table&& other) noexcept : pool_(other.pool_), ids_(std::exchange(other.ids_, {})) {}

kv_table& kv_table::operator=(kv_table&& other) noexcept {
  if (this == &other) return *this;
  clear();
  pool_ = other.pool_;
  ids_ = std::exchange(other.ids_, {});
  return *this;
}

bool kv_table::grow(std::uint64_t tokens) {
  auto wanted = pool_->blocks_for(tokens);
  if (wanted <= size()) return true;
  auto missing = wanted - size();
  if (missing > pool_->free()) return false;
  auto& free = pool_->free_;
  ids_.insert(ids_.end(), free.rbegin(), free.rbegin() + missing);
  free.resize(free.size() - missing);
  return true;
}

void kv_table::clear() noexcept {
  // The pool reserved room for every block at construction, so this never allocates.
  pool_->free_.insert(pool_->free_.end(), ids_.rbegin(), ids_.rend());
  ids_.clear();
}

}  // namespace lorica
