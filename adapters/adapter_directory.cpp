#include "adapters/adapter_directory.hpp"

#include "adapters/refusal.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

namespace lorica {
namespace {

constexpr std::size_t largest_read = std::size_t{1} << 20;

error unreadable(const std::string& what, std::string_view why) {
  return refused(refusal::unreadable_file, what + " " + std::string(why));
}

error missing(std::string text) {
  return fail(errc::unknown_adapter, std::move(text), std::string(refusal::missing_file));
}

bool same_file(int a, int b) noexcept {
  struct stat first {};
  struct stat second {};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

error changed(const std::string& name) {
  return refused(refusal::source_changed, name + " changed while it was read; load it again");
}

// The system's reasons in our words; its own texts may hold paths.
error open_failed(const std::string& what, int code) {
  switch (code) {
    case ENOENT: return missing(what + " is not there");
    case ENOTDIR: return missing(what + " is not in a directory");
    case EACCES:
    case EPERM: return unreadable(what, "may not be read by this process");
    case ELOOP: return unreadable(what, "is a link that leads nowhere");
    case ENXIO:
    case ENODEV: return unreadable(what, "is not a regular file");
    case ENAMETOOLONG: return unreadable(what, "has too long a path");
    case EXDEV:
      return refused(refusal::path_not_allowed,
                     what + " is a link that leads out of the adapter root or is not relative");
    case EAGAIN: return changed(what);
    default: return fail(errc::io, what + " could not be opened", std::string(refusal::unreadable_file));
  }
}

bool same_time(const timespec& a, const timespec& b) noexcept {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

bool is_pickle_name(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 4> endings = {".bin", ".pt", ".pth", ".pkl"};
  return std::any_of(endings.begin(), endings.end(), [&](auto ending) { return name.ends_with(ending); });
}

adapter_file::adapter_file(int descriptor, std::uint64_t size, timespec modified, std::string name) noexcept
    : descriptor_(descriptor), size_(size), modified_(modified), name_(std::move(name)) {}

adapter_file::adapter_file(adapter_file&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      modified_(other.modified_),
      name_(std::move(other.name_)) {}

adapter_file::~adapter_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

result<void> adapter_file::read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    auto got =
        ::pread(descriptor_, out.data(), std::min(out.size(), largest_read), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errc::io, name_ + " could not be read", std::string(refusal::unreadable_file));
    if (got == 0) return changed(name_);
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

result<void> adapter_file::check_unchanged() const {
  struct stat now {};
  if (::fstat(descriptor_, &now) != 0)
    return fail(errc::io, name_ + " could not be read", std::string(refusal::unreadable_file));
  bool same = static_cast<std::uint64_t>(now.st_size) == size_ && same_time(now.st_mtim, modified_);
  if (!same) return changed(name_);
  return {};
}

result<adapter_directory> adapter_directory::open(const std::string& path) {
  const std::string what = "the adapter's directory";
  if (path.find('\0') != std::string::npos) return missing(what + " is not there");
  int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (descriptor >= 0) return adapter_directory(descriptor);
  if (errno != ENOTDIR) return open_failed(what, errno);
  if (is_pickle_name(path))
    return refused(refusal::pickle_refused,
                   "the path names a pickle, which can run code; give a directory with "
                   "adapter_model.safetensors");
  return missing(
      "the path names no directory; give the one that holds adapter_config.json and "
      "adapter_model.safetensors");
}

adapter_directory::adapter_directory(adapter_directory&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      root_(std::move(other.root_)),
      path_(std::move(other.path_)) {}

adapter_directory::~adapter_directory() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

result<int> adapter_directory::open_file(const std::string& name) const {
  if (!root_) {
    int descriptor = ::openat(descriptor_, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0) return open_failed(name, errno);
    return descriptor;
  }
  int opened = root_->open_beneath(descriptor_, name, 0);
  if (opened >= 0) return opened;
  if (opened != -EXDEV) return open_failed(name, -opened);
  // A link out of the directory may stay beneath the root, as in the Hugging Face cache. It must be resolved
  // from there, and the way there must still lead to this directory.
  opened = root_->open_beneath(path_ + "/" + name, 0);
  if (opened < 0) return open_failed(name, -opened);
  int again = root_->open_beneath(path_, O_DIRECTORY);
  bool same = again >= 0 && same_file(again, descriptor_);
  if (again >= 0) ::close(again);
  if (same) return opened;
  ::close(opened);
  return changed(name);
}

result<adapter_file> adapter_directory::file(const std::string& name) const {
  auto opened = open_file(name);
  if (!opened) return opened.error();
  struct stat facts {};
  int failed = ::fstat(*opened, &facts);
  adapter_file out(*opened, static_cast<std::uint64_t>(facts.st_size), facts.st_mtim, name);
  if (failed != 0) return open_failed(name, EIO);
  if (!S_ISREG(facts.st_mode)) return unreadable(name, "is not a regular file");
  return out;
}

std::vector<std::string> adapter_directory::names_ending(std::string_view ending) const {
  constexpr std::size_t most = 64;
  std::vector<std::string> out;
  int again = ::openat(descriptor_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (again < 0) return out;
  std::unique_ptr<DIR, int (*)(DIR*)> list(::fdopendir(again), ::closedir);
  if (!list) {
    ::close(again);
    return out;
  }
  while (out.size() < most)
    if (auto entry = ::readdir(list.get())) {
      std::string_view name(entry->d_name);
      if (name.size() > ending.size() && name.ends_with(ending)) out.emplace_back(name);
    } else {
      break;
    }
  std::sort(out.begin(), out.end());
  return out;
}

bool adapter_directory::holds(const std::string& name) const noexcept {
  return ::faccessat(descriptor_, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

}  // namespace lorica
