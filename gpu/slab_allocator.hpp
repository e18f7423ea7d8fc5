#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace lorica::gpu {

/// Gives out parts of a range of bytes by size classes: the range is cut into slabs, a slab in use holds
/// pieces of one class, and one that is empty again serves any class. Pieces above half a slab take whole
/// neighbouring slabs. Adapters of equal modules and rank have pieces of equal classes. Pure bookkeeping, in
/// offsets.
class slab_allocator {
 public:
  static constexpr std::uint64_t alignment = 256;

  /// What `bytes` take: the next of eight classes per power of two, at most one part in eight more.
  static std::uint64_t charged(std::uint64_t bytes) noexcept;

  /// `slab_bytes` is a multiple of `alignment`; what is left behind the last whole slab is not used.
  slab_allocator(std::uint64_t bytes, std::uint64_t slab_bytes);

  /// The offset of a piece; nothing when there is no room.
  std::optional<std::uint64_t> take(std::uint64_t bytes);

  /// Gives back what `take` gave.
  void give_back(std::uint64_t offset) noexcept;

  std::uint64_t used() const noexcept { return used_; }  ///< as charged
  std::uint64_t empty_slabs() const noexcept { return empty_.size(); }

 private:
  struct slab {
    std::uint64_t piece = 0;   // its class; 0: empty, or part of a long piece
    std::uint32_t length = 0;  // slabs of a long piece that begins here
    std::vector<std::uint32_t> free;
    std::uint32_t taken = 0;
  };

  std::optional<std::uint64_t> take_slabs(std::uint64_t count);

  std::uint64_t slab_bytes_;
  std::uint64_t used_ = 0;
  std::vector<slab> slabs_;
  std::set<std::uint32_t> empty_;
  std::map<std::uint64_t, std::set<std::uint32_t>> with_room_;  // of a class
};

}  // namespace lorica::gpu
