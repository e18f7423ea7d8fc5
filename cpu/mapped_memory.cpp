#include "cpu/mapped_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "core/checked.hpp"

namespace lorica {
namespace {

/// From here on large pages are asked for: they spare the address translation of long streams of weights.
constexpr std::uint64_t large_mapping = std::uint64_t{16} << 20;

std::uint64_t page_bytes() noexcept {
  return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

mapped_memory::mapped_memory(mapped_memory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

mapped_memory& mapped_memory::operator=(mapped_memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

mapped_memory::~mapped_memory() {
  if (data_) ::munmap(data_, size_);
}

std::uint64_t mapped_memory::rounded(std::uint64_t bytes) noexcept {
  return checked_align(bytes, page_bytes()).value_or(bytes);
}

result<mapped_memory> mapped_memory::allocate(std::uint64_t bytes, const char* what) {
  mapped_memory out;
  if (bytes == 0) return out;
  auto size = rounded(bytes);
  void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    return fail(errc::out_of_memory, "no memory for " + std::string(what) + " (" + std::to_string(bytes) +
                                         " bytes); a smaller one would fit");
  if (size >= large_mapping) ::madvise(at, size, MADV_HUGEPAGE);
  out.data_ = static_cast<std::byte*>(at);
  out.size_ = size;
  return out;
}

}  // namespace lorica
