#include "cpu/mapping.hpp"

#include <sys/mman.h>

#include <string>
#include <utility>

namespace lorica {

result<mapping> mapping::make(std::size_t bytes) {
  mapping out;
  if (bytes == 0) return out;
  void* p =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) return fail(errc::out_of_memory, "no memory for " + std::to_string(bytes) + " bytes");
  if (bytes >= std::size_t{2} << 20) ::madvise(p, bytes, MADV_HUGEPAGE);
  out.data_ = static_cast<std::byte*>(p);
  out.size_ = bytes;
  return out;
}

mapping::mapping(mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

mapping& mapping::operator=(mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

mapping::~mapping() {
  if (data_) ::munmap(data_, size_);
}

}  // namespace lorica
