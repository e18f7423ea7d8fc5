#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace lorica {

/// Bytes that many may hold together, such as those of all bodies that are being read. Thread-safe; holds may
/// outlive it.
class byte_budget {
 public:
  /// A share of the budget, given back when destroyed or `release`d.
  class hold {
   public:
    hold() = default;
    hold(hold&& other) noexcept
        : used_(std::move(other.used_)), most_(other.most_), bytes_(std::exchange(other.bytes_, 0)) {}
    hold& operator=(hold&& other) noexcept;
    ~hold() { release(); }
    void release() noexcept;

    /// Makes it `bytes` at least; false, and nothing changes, when the budget has no room for that.
    bool grow_to(std::uint64_t bytes) noexcept;

    std::uint64_t bytes() const noexcept { return bytes_; }

   private:
    friend class byte_budget;
    hold(std::shared_ptr<std::atomic<std::uint64_t>> used, std::uint64_t most)
        : used_(std::move(used)), most_(most) {}

    std::shared_ptr<std::atomic<std::uint64_t>> used_;
    std::uint64_t most_ = 0;
    std::uint64_t bytes_ = 0;
  };

  explicit byte_budget(std::uint64_t most)
      : used_(std::make_shared<std::atomic<std::uint64_t>>(0)), most_(most) {}

  /// A hold of no bytes yet.
  hold open() const { return hold(used_, most_); }

  std::uint64_t used() const noexcept { return *used_; }

 private:
  std::shared_ptr<std::atomic<std::uint64_t>> used_;
  std::uint64_t most_;
};

}  // namespace lorica
