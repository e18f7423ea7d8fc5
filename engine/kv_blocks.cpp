#include "engine/kv_blocks.hpp"

#include <utility>

namespace lorica {

kv_blocks::kv_blocks(std::uint32_t blocks, std::uint32_t block_tokens)
    : total_(blocks), block_tokens_(block_tokens), holders_(blocks) {
  free_.reserve(blocks);
  for (auto id = blocks; id > 0; --id)
    free_.push_back(id - 1);
}

std::uint32_t kv_blocks::blocks_for(std::uint64_t tokens) const noexcept {
  return static_cast<std::uint32_t>((tokens + block_tokens_ - 1) / block_tokens_);
}

/// Empty blocks first: what is kept may be wanted again.
std::uint32_t kv_blocks::take() {
  std::uint32_t block = 0;
  if (free_.empty()) {
    block = keeper_->give_up();
  } else {
    block = free_.back();
    free_.pop_back();
  }
  ++holders_[block];
  return block;
}

void kv_blocks::hold(std::uint32_t block) noexcept {
  if (holders_[block]++ == 0) keeper_->taken(block);
}

void kv_blocks::let_go(std::uint32_t block) noexcept {
  if (--holders_[block] != 0) return;
  // The pool reserved room for every block at construction, so this never allocates.
  if (!keeper_ || !keeper_->keep(block)) free_.push_back(block);
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
  if (wanted - size() > pool_->free()) return false;
  ids_.reserve(wanted);
  while (size() < wanted)
    ids_.push_back(pool_->take());
  return true;
}

void kv_table::share(std::uint32_t at, std::uint32_t block) {
  pool_->hold(block);
  if (at == size())
    ids_.push_back(block);
  else
    pool_->let_go(std::exchange(ids_.at(at), block));
}

/// The last one first: who keeps a beginning longer than what goes on behind it has more use of it.
void kv_table::clear() noexcept {
  while (!ids_.empty()) {
    pool_->let_go(ids_.back());
    ids_.pop_back();
  }
}

}  // namespace lorica
