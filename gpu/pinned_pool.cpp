#include "gpu/pinned_pool.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "gpu/pinned.hpp"

namespace lorica::gpu {
namespace {

/// A size that others ask for too, at most an eighth more; 0: there is none.
constexpr std::size_t common_size(std::size_t bytes) noexcept {
  const auto step = std::max(std::size_t{64} << 10, std::bit_floor(bytes) / 8);
  return bytes > SIZE_MAX - step ? 0 : (bytes + step - 1) / step * step;
}

/// More than that would be lost on a smaller one.
constexpr std::size_t most_for(std::size_t bytes) noexcept {
  return bytes + bytes / 4;
}

}  // namespace

struct pinned_pool::stretch {
  explicit stretch(pinned_buffer m) : memory(std::move(m)) {}

  pinned_buffer memory;
  stretch* next = nullptr;  // given back after this one
};

/// Whoever gives back only puts a stretch in front of `given`; whoever takes sorts them in, one at a time.
struct pinned_pool::state {
  explicit state(std::size_t kept) : kept_bytes(kept) {}
  ~state() { collect(); }

  void give(std::unique_ptr<stretch> memory) noexcept {
    auto* mine = memory.release();
    mine->next = given.load(std::memory_order_relaxed);
    while (!given.compare_exchange_weak(mine->next, mine, std::memory_order_release,
                                        std::memory_order_relaxed)) {
    }
  }

  /// What was given back, to what is free. `mutex` is held; at the end nobody else is there.
  void collect() {
    for (auto* at = given.exchange(nullptr, std::memory_order_acquire); at;) {
      std::unique_ptr<stretch> one(std::exchange(at, at->next));
      free_bytes += one->memory.size();
      free.push_back(std::move(one));
    }
  }

  std::unique_ptr<stretch> take_out(std::size_t at) {
    auto out = std::move(free[at]);
    free.erase(free.begin() + static_cast<std::ptrdiff_t>(at));
    free_bytes -= out->memory.size();
    return out;
  }

  /// The smallest that fits well; null: none.
  std::unique_ptr<stretch> fitting(std::size_t bytes) {
    std::size_t best = free.size();
    for (std::size_t i = 0; i < free.size(); ++i) {
      const auto size = free[i]->memory.size();
      if (size >= bytes && size <= most_for(bytes) &&
          (best == free.size() || size < free[best]->memory.size()))
        best = i;
    }
    return best == free.size() ? nullptr : take_out(best);
  }

  /// What is free beyond `most` bytes, the ones first that have been so longest.
  std::vector<std::unique_ptr<stretch>> surplus(std::size_t most) {
    std::vector<std::unique_ptr<stretch>> out;
    while (free_bytes > most)
      out.push_back(take_out(0));
    return out;
  }

  const std::size_t kept_bytes;
  std::atomic<stretch*> given{nullptr};
  std::mutex mutex;  // of what follows; never held while memory is pinned or unpinned
  std::vector<std::unique_ptr<stretch>> free;
  std::size_t free_bytes = 0;
};

pinned_pool::piece::piece() noexcept = default;
pinned_pool::piece::piece(piece&&) noexcept = default;
pinned_pool::piece::piece(std::shared_ptr<state> pool, std::unique_ptr<stretch> memory) noexcept
    : pool_(std::move(pool)), memory_(std::move(memory)) {}

pinned_pool::piece& pinned_pool::piece::operator=(piece&& other) noexcept {
  if (this == &other) return *this;
  give_back();
  pool_ = std::move(other.pool_);
  memory_ = std::move(other.memory_);
  return *this;
}

pinned_pool::piece::~piece() {
  give_back();
}

void pinned_pool::piece::give_back() noexcept {
  if (memory_) pool_->give(std::move(memory_));
}

std::byte* pinned_pool::piece::data() const noexcept {
  return memory_ ? memory_->memory.data() : nullptr;
}

std::size_t pinned_pool::piece::size() const noexcept {
  return memory_ ? memory_->memory.size() : 0;
}

pinned_pool::pinned_pool(std::size_t kept_bytes) : state_(std::make_shared<state>(kept_bytes)) {}

result<pinned_pool::piece> pinned_pool::take(std::size_t bytes) const {
  bytes = common_size(bytes);
  if (bytes == 0) return fail(errc::out_of_memory, "no memory is as large as that");
  std::vector<std::unique_ptr<stretch>> unpinned;  // when the lock is free
  {
    const std::lock_guard lock(state_->mutex);
    state_->collect();
    auto found = state_->fitting(bytes);
    unpinned = state_->surplus(state_->kept_bytes);
    if (found) return piece(state_, std::move(found));
  }
  unpinned.clear();
  auto memory = pinned_buffer::allocate(bytes);
  if (!memory && memory.error().code == errc::out_of_memory) {
    {
      const std::lock_guard lock(state_->mutex);
      state_->collect();
      unpinned = state_->surplus(0);
    }
    if (unpinned.empty()) return std::move(memory).error();
    unpinned.clear();
    memory = pinned_buffer::allocate(bytes);
  }
  if (!memory) return std::move(memory).error();
  return piece(state_, std::make_unique<stretch>(*std::move(memory)));
}

std::size_t pinned_pool::free_bytes() const {
  const std::lock_guard lock(state_->mutex);
  state_->collect();
  return state_->free_bytes;
}

}  // namespace lorica::gpu
