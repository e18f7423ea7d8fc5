#include "gpu/slab_allocator.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

namespace lorica::gpu {
namespace {

constexpr std::uint32_t most_pages_more = 16;  // that a slab has beyond those of one piece
constexpr std::uint32_t least_slabs = 32;      // of all pages, with no more than those

constexpr std::uint32_t pages_of(std::uint64_t bytes, std::uint64_t page) noexcept {
  return static_cast<std::uint32_t>((bytes + page - 1) / page);
}

}  // namespace

slab_allocator::slab_shape slab_allocator::shape_for(std::uint64_t bytes, std::uint64_t page,
                                                     std::uint32_t more) noexcept {
  bytes = std::max(bytes, std::uint64_t{1});
  const auto step = std::max(std::bit_floor(bytes) / 8, alignment);
  const auto piece = (bytes + step - 1) / step * step;
  const auto first = pages_of(piece, page);
  slab_shape out;
  for (auto pages = first; pages <= first + more; ++pages) {
    const auto pieces = static_cast<std::uint32_t>(pages * page / piece);
    const auto charge = (pages * page + pieces - 1) / pieces;
    if (out.pages == 0 || charge < out.charge) out = {piece, pages, pieces, charge};
    if (out.charge - piece <= piece / 16) break;
  }
  return out;
}

std::uint64_t slab_allocator::charged(std::uint64_t bytes) noexcept {
  return shape_for(bytes, page_bytes, most_pages_more).charge;
}

slab_allocator::slab_allocator(std::uint64_t bytes, std::uint64_t page)
    : page_(page),
      pages_more_(
          static_cast<std::uint32_t>(std::min<std::uint64_t>(most_pages_more, bytes / page / least_slabs))) {
  for (std::uint32_t i = 0; i < bytes / page; ++i)
    empty_.insert(empty_.end(), i);
}

/// The first of `count` neighbouring empty pages, which are not empty from now on.
std::optional<std::uint32_t> slab_allocator::take_pages(std::uint32_t count) {
  std::uint32_t run = 0, previous = 0;
  for (auto at = empty_.begin(); at != empty_.end(); ++at) {
    run = run != 0 && *at == previous + 1 ? run + 1 : 1;
    previous = *at;
    if (run < count) continue;
    const auto first = *at + 1 - count;
    empty_.erase(empty_.find(first), std::next(at));
    return first;
  }
  return std::nullopt;
}

/// A shorter one where there are not as many neighbouring pages.
bool slab_allocator::open_slab(slab_shape shape) {
  auto first = take_pages(shape.pages);
  if (!first) {
    shape.pages = pages_of(shape.piece, page_);
    shape.pieces = static_cast<std::uint32_t>(shape.pages * page_ / shape.piece);
    first = take_pages(shape.pages);
  }
  if (!first) return false;
  auto& s = slabs_[*first];
  s.shape = shape;
  for (auto i = shape.pieces; i-- > 0;)
    s.free.push_back(i);
  with_room_[shape.piece].insert(*first);
  return true;
}

std::optional<std::uint64_t> slab_allocator::take(std::uint64_t bytes) {
  const auto shape = shape_for(bytes, page_, pages_more_);
  auto& open = with_room_[shape.piece];
  if (open.empty() && !open_slab(shape)) return std::nullopt;
  const auto first = *open.begin();
  auto& s = slabs_.at(first);
  const auto place = s.free.back();
  s.free.pop_back();
  if (s.free.empty()) open.erase(first);
  used_ += shape.charge;
  return first * page_ + place * shape.piece;
}

void slab_allocator::give_back(std::uint64_t offset) noexcept {
  const auto page = static_cast<std::uint32_t>(offset / page_);
  const auto found = std::prev(slabs_.upper_bound(page));
  auto& [first, s] = *found;
  used_ -= s.shape.charge;
  s.free.push_back(static_cast<std::uint32_t>((offset - first * page_) / s.shape.piece));
  auto& open = with_room_[s.shape.piece];
  if (s.free.size() < s.shape.pieces) {
    open.insert(first);
    return;
  }
  open.erase(first);
  for (std::uint32_t i = 0; i < s.shape.pages; ++i)
    empty_.insert(first + i);
  slabs_.erase(found);
}

}  // namespace lorica::gpu
