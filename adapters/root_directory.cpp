#include "adapters/root_directory.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <utility>

#include "core/shown.hpp"

namespace lorica {
namespace {

constexpr int reading = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
constexpr int most_tries = 100;

int open_by_kernel(int from, const char* path, int flags) noexcept {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  auto opened = ::syscall(SYS_openat2, from, path, &how, sizeof how);
  return opened < 0 ? -errno : static_cast<int>(opened);
}

bool kernel_can(int directory) noexcept {
  int opened = open_by_kernel(directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (opened >= 0) ::close(opened);
  // Filters of containers answer EPERM to calls that they do not know.
  return opened != -ENOSYS && opened != -EPERM;
}

/// One part of the way; a link in its place is EXDEV.
int open_part(int from, const std::string& part, int flags) noexcept {
  int opened = ::openat(from, part.c_str(), flags | O_NOFOLLOW);
  if (opened >= 0) return opened;
  const int code = errno;
  struct stat facts {};
  bool link = ::fstatat(from, part.c_str(), &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(facts.st_mode);
  return link ? -EXDEV : -code;
}

int open_by_walk(int from, std::string_view path, int flags) noexcept {
  int at = from;
  for (std::size_t begin = 0;;) {
    const auto end = std::min(path.find('/', begin), path.size());
    const bool last = end == path.size();
    const std::string part(path.substr(begin, end - begin));
    int next = open_part(at, part, last ? flags : O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (at != from) ::close(at);
    if (last || next < 0) return next;
    at = next;
    begin = end + 1;
  }
}

bool stays_beneath(std::string_view path) noexcept {
  if (path.find('\0') != std::string_view::npos) return false;
  for (std::size_t begin = 0; begin <= path.size();) {
    const auto end = std::min(path.find('/', begin), path.size());
    const auto part = path.substr(begin, end - begin);
    if (part.empty() || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

error unusable(const std::string& path, std::string_view why) {
  return fail(errc::bad_config,
              "the adapter root '" + shown(path) + "' " + std::string(why) + "; give a directory");
}

}  // namespace

root_directory::root_directory(int descriptor, path_resolution how, std::string given) noexcept
    : descriptor_(descriptor), how_(how), given_(std::move(given)) {}

root_directory::~root_directory() {
  ::close(descriptor_);
}

result<std::shared_ptr<const root_directory>> root_directory::open(const std::string& path,
                                                                   path_resolution how) {
  if (path.empty() || path.find('\0') != std::string::npos) return unusable(path, "is no path");
  int descriptor = ::open(path.c_str(), reading | O_DIRECTORY);
  if (descriptor < 0 && errno == ENOENT) return unusable(path, "is not there");
  if (descriptor < 0 && errno == ENOTDIR) return unusable(path, "is not a directory");
  if (descriptor < 0) return unusable(path, "cannot be opened by this process");
  if (!kernel_can(descriptor)) how = path_resolution::walk;
  auto given = path.substr(0, path.find_last_not_of('/') + 1);
  std::shared_ptr<root_directory> out(new root_directory(descriptor, how, std::move(given)));
  std::error_code problem;
  out->canonical_ = std::filesystem::canonical(path, problem).string();
  if (problem) return unusable(path, "cannot be opened by this process");
  if (out->canonical_ == "/") out->canonical_.clear();
  return std::shared_ptr<const root_directory>(std::move(out));
}

int root_directory::open_beneath(const std::string& path, int flags) const noexcept {
  return open_beneath(descriptor_, path, flags);
}

int root_directory::open_beneath(int from, const std::string& path, int flags) const noexcept {
  if (!stays_beneath(path)) return -EXDEV;
  if (how_ == path_resolution::walk) return open_by_walk(from, path, reading | flags);
  int opened = -EAGAIN;
  // The kernel gives up when a directory is moved while it goes up from there.
  for (int tries = 0; opened == -EAGAIN && tries < most_tries; ++tries)
    opened = open_by_kernel(from, path.c_str(), reading | flags);
  return opened;
}

}  // namespace lorica
