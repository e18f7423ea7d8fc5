#include "files/mapped_file.hpp"

#include <sys/mman.h>

#include "core/checked.hpp"
#include "files/read_file.hpp"

namespace lorica {

result<std::shared_ptr<const mapped_file>> mapped_file::open(const std::string& path) {
  auto file = open_file::open(path);
  if (!file) return file.error();
  auto size = checked_cast<std::size_t>(file->size());
  if (!size) return fail(errc::io, "file " + std::string(file_name(path)) + " is too long to be mapped");
  // mmap refuses empty files; an empty span says the same.
  if (*size == 0) return std::shared_ptr<const mapped_file>(new mapped_file(nullptr, 0));
  void* data = ::mmap(nullptr, *size, PROT_READ, MAP_PRIVATE, file->descriptor(), 0);
  if (data == MAP_FAILED)
    return fail(errc::io, "file " + std::string(file_name(path)) + " cannot be mapped into memory");
  return std::shared_ptr<const mapped_file>(new mapped_file(static_cast<const std::byte*>(data), *size));
}

void mapped_file::release_pages() const noexcept {
  if (data_) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

mapped_file::~mapped_file() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

}  // namespace lorica
