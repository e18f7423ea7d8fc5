#include "cpu/mapped_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/checked.hpp"

namespace lorica {
namespace {

/// Mappings of this size and more begin at a large page, and large pages are asked for: address translation
/// would cost more than the memory itself in streams of weights.
constexpr std::uint64_t large_page = std::uint64_t{2} << 20;

std::uint64_t page_bytes() noexcept {
  return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::byte* map(std::uint64_t bytes) noexcept {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at);
}

/// Maps a large page more and gives back what lies before and behind.
std::byte* map_aligned(std::uint64_t bytes) noexcept {
  auto* at = map(bytes + large_page);
  if (!at) return nullptr;
  const auto before = (large_page - reinterpret_cast<std::uintptr_t>(at) % large_page) % large_page;
  if (before != 0) ::munmap(at, before);
  ::munmap(at + before + bytes, large_page - before);
  return at + before;
}

}  // namespace

mapped_memory::mapped_memory(mapped_memory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      large_(std::exchange(other.large_, false)) {}

mapped_memory& mapped_memory::operator=(mapped_memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(large_, other.large_);
  return *this;
}

mapped_memory::~mapped_memory() {
  if (data_) ::munmap(data_, size_);
}

std::uint64_t mapped_memory::rounded(std::uint64_t bytes) noexcept {
  return checked_align(bytes, page_bytes()).value_or(bytes);
}

result<mapped_memory> mapped_memory::allocate(std::uint64_t bytes, const char* what, page_kind pages) {
  mapped_memory out;
  if (bytes == 0) return out;
  auto size = rounded(bytes);
  if (size < bytes || size + large_page < size)
    return fail(errc::out_of_memory, std::string(what) + ": too many bytes");
  out.large_ = pages == page_kind::large && size >= large_page;
  auto* at = out.large_ ? map_aligned(size) : map(size);
  if (!at)
    return fail(errc::out_of_memory, "no memory for " + std::string(what) + " (" + std::to_string(bytes) +
                                         " bytes); a smaller one would fit");
  if (pages == page_kind::small || out.large_)
    ::madvise(at, size, out.large_ ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  out.data_ = at;
  out.size_ = size;
  return out;
}

void mapped_memory::give_back(std::uint64_t begin, std::uint64_t end) noexcept {
  const auto page = large_ ? large_page : page_bytes();
  begin = (begin + page - 1) / page * page;
  end = end >= size_ ? size_ : end / page * page;  // what follows the last large page is small
  if (begin < end) ::madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

}  // namespace lorica
