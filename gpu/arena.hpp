#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.hpp"
#include "engine/ledger.hpp"

namespace lorica::gpu {

/// The device memory of an executor: one allocation at start, given out in pieces that live as long as it
/// does. Nothing is given back piece by piece; what comes and goes (KV blocks, adapters) is managed inside
/// its piece. Owned by the executor; used by its thread.
class arena {
 public:
  /// Every piece begins on, and is charged in, multiples of this.
  static constexpr std::uint64_t alignment = 256;
  static constexpr std::uint64_t charged(std::uint64_t bytes) noexcept {
    return (bytes + alignment - 1) / alignment * alignment;
  }

  struct piece {
    memory_part part;
    std::string name;
    std::uint64_t bytes = 0;  ///< as charged
  };

  /// `errc::out_of_memory` tells how much was wanted and how much the device has.
  static result<arena> allocate(std::uint64_t bytes);

  /// A piece of `bytes`, its content undefined. `errc::out_of_memory` names it, what it needs and what is
  /// left.
  result<std::byte*> take(memory_part part, std::string name, std::uint64_t bytes);

  /// `count` elements of `T`; device memory, never touched by the host.
  template <class T>
  result<T*> take(memory_part part, std::string name, std::uint64_t count) {
    auto out = take(part, std::move(name), count * sizeof(T));
    if (!out) return out.error();
    return reinterpret_cast<T*>(*out);
  }

  std::uint64_t size() const noexcept { return size_; }
  std::uint64_t used() const noexcept { return used_; }
  std::uint64_t used(memory_part part) const noexcept;

  /// What was taken, in order, for the ledger and the log.
  const std::vector<piece>& pieces() const noexcept { return pieces_; }

 private:
  struct give_back {
    void operator()(std::byte* at) const noexcept;
  };

  arena(std::byte* base, std::uint64_t bytes) : base_(base), size_(bytes) {}

  std::unique_ptr<std::byte, give_back> base_;
  std::uint64_t size_ = 0;
  std::uint64_t used_ = 0;
  std::vector<piece> pieces_;
};

}  // namespace lorica::gpu
