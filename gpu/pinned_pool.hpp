#pragma once

#include <cstddef>
#include <memory>

#include "core/error.hpp"

namespace lorica::gpu {

/// Pinned memory that is used again: pinning and unpinning take the driver's time and may wait for what runs
/// on the device, so a load should do neither. What is given back is free for the next that asks for about as
/// much.
class pinned_pool {
  struct state;
  struct stretch;

 public:
  /// A stretch of it, given back with its owner, from any thread and without waiting. The pool may end
  /// before.
  class piece {
   public:
    piece() noexcept;
    piece(piece&&) noexcept;
    piece& operator=(piece&&) noexcept;
    ~piece();

    std::byte* data() const noexcept;   ///< null: none
    std::size_t size() const noexcept;  ///< at least what was asked for

   private:
    friend class pinned_pool;
    piece(std::shared_ptr<state> pool, std::unique_ptr<stretch> memory) noexcept;
    void give_back() noexcept;

    std::shared_ptr<state> pool_;
    std::unique_ptr<stretch> memory_;
  };

  /// At most so many free bytes stay pinned; what is more is unpinned by the next `take`.
  explicit pinned_pool(std::size_t kept_bytes);

  /// At least so many bytes; what is in them is anything. Any thread. Fails as `pinned_buffer::allocate`
  /// does, then with nothing kept.
  result<piece> take(std::size_t bytes) const;

  /// Free and pinned, for tests and the ledger.
  std::size_t free_bytes() const;

 private:
  std::shared_ptr<state> state_;
};

}  // namespace lorica::gpu
