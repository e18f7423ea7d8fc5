#include "files/read_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace lorica {
namespace {

error open_failure(const std::string& path) {
  auto name = std::string(file_name(path));
  switch (errno) {
    case ENOENT:
    case ENOTDIR: return fail(errc::io, "file " + name + " does not exist");
    case EACCES:
    case EPERM: return fail(errc::io, "file " + name + " may not be read by this user");
    case EMFILE:
    case ENFILE: return fail(errc::io, "file " + name + " cannot be opened: too many open files");
    default: return fail(errc::io, "file " + name + " cannot be opened");
  }
}

}  // namespace

std::string_view file_name(std::string_view path) noexcept {
  auto slash = path.find_last_of('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

result<open_file> open_file::open(const std::string& path) {
  // O_NONBLOCK keeps the open of a pipe from waiting for a writer; it means nothing for regular files.
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return open_failure(path);
  open_file file(descriptor, 0);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0)
    return fail(errc::io, "file " + std::string(file_name(path)) + " cannot be examined");
  if (!S_ISREG(status.st_mode))
    return fail(errc::io, std::string(file_name(path)) + " is not a regular file");
  file.size_ = static_cast<std::uint64_t>(status.st_size);
  return file;
}

open_file::open_file(open_file&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

open_file::~open_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  auto file = open_file::open(path);
  if (!file) return file.error();
  auto name = std::string(file_name(path));
  if (file->size() > max_bytes)
    return fail(errc::malformed, "file " + name + " has " + std::to_string(file->size()) +
                                     " bytes; at most " + std::to_string(max_bytes) + " are read");
  std::string text(static_cast<std::size_t>(file->size()), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    auto got = ::read(file->descriptor(), text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errc::io, "file " + name + " cannot be read");
    if (got == 0) return fail(errc::io, "file " + name + " became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
  return text;
}

}  // namespace lorica
