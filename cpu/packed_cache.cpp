#include "cpu/packed_cache.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>
#include <vector>

#include "core/descriptor.hpp"

namespace lorica {
namespace {

constexpr std::string_view unfinished = ".tmp-";

error problem(int number) {
  return fail(errc::io, std::string(problem_text(number)));
}

/// Makes every directory of a path that is missing, for this user alone. What goes wrong shows when it is
/// opened.
void make_directories(const std::string& path) {
  for (auto slash = path.find('/', 1); slash != path.npos; slash = path.find('/', slash + 1))
    ::mkdir(path.substr(0, slash).c_str(), S_IRWXU);
  ::mkdir(path.c_str(), S_IRWXU);
}

descriptor open_directory(const std::string& path) noexcept {
  return descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

/// Whether nobody else can put files into a directory.
result<void> check_owner(const descriptor& directory) {
  struct stat status {};
  if (::fstat(directory.number(), &status) != 0) return problem(errno);
  if (status.st_uid != ::geteuid()) return fail(errc::io, "the directory belongs to another user");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(errc::io, "others may write in the directory; it needs mode 700");
  return {};
}

/// A file that the limits count.
struct kept_file {
  std::string name;
  std::uint64_t bytes;
  timespec used;
};

bool used_before(const kept_file& a, const kept_file& b) noexcept {
  return std::tie(a.used.tv_sec, a.used.tv_nsec, a.name) < std::tie(b.used.tv_sec, b.used.tv_nsec, b.name);
}

bool is_unfinished_name(std::string_view name) noexcept {
  const auto at = name.find(unfinished);
  return at != name.npos && is_packed_file_name(name.substr(0, at));
}

/// Removes what a process that died left: whoever writes one holds its lock.
void remove_abandoned(int directory, const char* name) {
  descriptor file(::openat(directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0) ::unlinkat(directory, name, 0);
}

/// The files beside `own`; removes those that nobody will finish.
std::vector<kept_file> list_others(int directory, const std::string& own) {
  std::vector<kept_file> out;
  // Another description of the directory, since reading moves it.
  const int again = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* entries = again < 0 ? nullptr : ::fdopendir(again);
  if (!entries) {
    if (again >= 0) ::close(again);
    return out;
  }
  while (const auto* entry = ::readdir(entries)) {
    const std::string name = entry->d_name;
    if (is_unfinished_name(name)) remove_abandoned(directory, name.c_str());
    struct stat status {};
    if (name == own || !is_packed_file_name(name) ||
        ::fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode))
      continue;
    out.push_back({name, static_cast<std::uint64_t>(status.st_size), status.st_mtim});
  }
  ::closedir(entries);
  return out;
}

/// Makes room for a file of `bytes`.
void make_room(int directory, const std::string& own, std::uint64_t bytes, const packed_limits& limits) {
  auto others = list_others(directory, own);
  std::ranges::sort(others, used_before);
  std::uint64_t all = bytes;
  for (auto& f : others)
    all += f.bytes;
  auto left = others.size();
  for (auto& f : others) {
    if (left < limits.files && all <= limits.bytes) return;
    ::unlinkat(directory, f.name.c_str(), 0);
    all -= f.bytes;
    --left;
  }
}

/// A new file that is not yet under its name, locked; removed again unless it is given it.
class unfinished_file {
 public:
  /// Another process may take a file for abandoned before its lock is held; then the next one is made.
  static result<unfinished_file> make(int directory, const std::string& name) {
    constexpr int most_tries = 100;
    for (int i = 0; i < most_tries; ++i) {
      auto out = make_one(directory, name);
      if (!out || out->has_name()) return out;
    }
    return problem(ENOENT);
  }

  unfinished_file(unfinished_file&& other) noexcept
      : directory_(other.directory_), name_(std::exchange(other.name_, {})), file_(std::move(other.file_)) {}
  unfinished_file& operator=(unfinished_file&&) = delete;
  ~unfinished_file() {
    if (!name_.empty()) ::unlinkat(directory_, name_.c_str(), 0);
  }

  int number() const noexcept { return file_.number(); }

  result<void> rename_to(const std::string& name) {
    if (::renameat(directory_, name_.c_str(), directory_, name.c_str()) != 0) return problem(errno);
    name_.clear();
    ::fsync(directory_);
    return {};
  }

 private:
  static result<unfinished_file> make_one(int directory, const std::string& name) {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != sizeof random) return problem(errno);
    auto at = name + std::string(unfinished) + std::to_string(random);
    descriptor file(::openat(directory, at.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                             S_IRUSR | S_IWUSR));
    if (!file) return problem(errno);
    // Without locks (some network file systems) nobody gets one, so nobody removes it.
    while (::flock(file.number(), LOCK_EX) != 0 && errno == EINTR) {
    }
    return unfinished_file(directory, std::move(at), std::move(file));
  }

  bool has_name() const noexcept {
    struct stat status {};
    return ::fstat(number(), &status) == 0 && status.st_nlink != 0;
  }

  unfinished_file(int directory, std::string name, descriptor file) noexcept
      : directory_(directory), name_(std::move(name)), file_(std::move(file)) {}

  int directory_;
  std::string name_;
  descriptor file_;
};

}  // namespace

result<std::unique_ptr<const packed_weights>> packed_cache::load(const model_weights& model,
                                                                 const packed_key& key,
                                                                 thread_team& team) const {
  using weights = std::unique_ptr<const packed_weights>;
  const auto directory = open_directory(directory_);
  if (!directory) return weights();
  if (auto ok = check_owner(directory); !ok) return ok.error();
  const descriptor file(::openat(directory.number(), packed_file_name(key).c_str(),
                                 O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file && errno == ENOENT) return weights();
  auto bad_file = [](std::string_view what) { return fail(errc::io, "the kept file " + std::string(what)); };
  if (!file) return bad_file(errno == ELOOP ? "is a link" : "cannot be opened");
  auto out = packed_weights::read(model, key.mode, [&](std::span<std::byte> bytes) {
    return read_packed_file(file.number(), key, team, bytes);
  });
  if (!out && out.error().code == errc::io) return bad_file(out.error().text);
  // The time of the last change is the time of the last use. Where it cannot be set, it is that of the first.
  if (out) ::futimens(file.number(), nullptr);
  return out;
}

result<void> packed_cache::keep(const packed_key& key, std::span<const std::byte> contents,
                                const std::stop_token& stop) const {
  const auto bytes = packed_header_bytes + contents.size();
  if (bytes > limits_.bytes)
    return fail(errc::io, "they have more bytes than all kept files together may have (" +
                              std::to_string(limits_.bytes >> 20) + " MiB)");
  make_directories(directory_);
  const auto directory = open_directory(directory_);
  if (!directory) return problem(errno);
  if (auto ok = check_owner(directory); !ok) return ok.error();
  const auto name = packed_file_name(key);
  make_room(directory.number(), name, bytes, limits_);
  auto file = unfinished_file::make(directory.number(), name);
  if (!file) return file.error();
  if (auto ok = write_packed_file(file->number(), key, contents, stop); !ok) return ok.error();
  return file->rename_to(name);
}

}  // namespace lorica
