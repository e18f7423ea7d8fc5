#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

namespace lorica::gpu {

/// Gives out parts of a range of bytes by size classes: the range is cut into pages, neighbouring pages
/// become a slab of pieces of one class, and pages of a slab without pieces serve any class again. Modules of
/// equal shape and rank have pieces of equal class, so adapters that come and go leave no holes that others
/// do not fit in. Pure bookkeeping, in offsets.
class slab_allocator {
 public:
  static constexpr std::uint64_t alignment = 256;
  static constexpr std::uint64_t page_bytes = std::uint64_t{64} << 10;

  /// What a piece of `bytes` takes, its share of its slab, with pages of `page_bytes`: there are eight
  /// classes per power of two, and a slab is as long as leaves little of it unused.
  static std::uint64_t charged(std::uint64_t bytes) noexcept;

  /// `page` is a multiple of `alignment`; what is left behind the last whole page is not used.
  explicit slab_allocator(std::uint64_t bytes, std::uint64_t page = page_bytes);

  /// The offset of a piece, a multiple of `alignment`; nothing when there is no room.
  std::optional<std::uint64_t> take(std::uint64_t bytes);

  /// Gives back what `take` gave.
  void give_back(std::uint64_t offset) noexcept;

  std::uint64_t used() const noexcept { return used_; }  ///< as charged
  std::uint64_t empty_pages() const noexcept { return empty_.size(); }

 private:
  struct slab_shape {
    std::uint64_t piece = 0;  // bytes
    std::uint32_t pages = 0;
    std::uint32_t pieces = 0;
    std::uint64_t charge = 0;  // of a piece
  };
  struct slab {
    slab_shape shape;
    std::vector<std::uint32_t> free;  // places
  };

  static slab_shape shape_for(std::uint64_t bytes, std::uint64_t page, std::uint32_t more) noexcept;
  std::optional<std::uint32_t> take_pages(std::uint32_t count);
  bool open_slab(slab_shape shape);

  std::uint64_t page_;
  std::uint32_t pages_more_;
  std::uint64_t used_ = 0;
  std::set<std::uint32_t> empty_;                               // pages
  std::map<std::uint32_t, slab> slabs_;                         // by their first page
  std::map<std::uint64_t, std::set<std::uint32_t>> with_room_;  // slabs of a class
};

}  // namespace lorica::gpu
