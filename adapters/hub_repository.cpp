#include "adapters/hub_repository.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <random>
#include <utility>

#include "adapters/refusal.hpp"
#include "core/ids.hpp"
#include "core/sha256.hpp"
#include "files/read_file.hpp"

namespace lorica {
namespace {

namespace fs = std::filesystem;

constexpr mode_t any_file = 0666;  // the process's mask decides
constexpr std::size_t suffix_digits = 8;

// The signature is that of the standard for folders that backups leave out (bford.info/cachedir).
constexpr std::string_view cache_tag =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# Files of the Hugging Face Hub; they can be fetched again.\n";

std::string random_suffix() {
  constexpr std::string_view digits = "0123456789abcdef";
  std::random_device random;
  std::string out;
  for (std::size_t i = 0; i < suffix_digits; ++i)
    out += digits[random() & 15];
  return out;
}

bool write_new(const std::string& path, std::string_view text) {
  int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, any_file);
  if (descriptor < 0) return false;
  auto written = ::write(descriptor, text.data(), text.size());
  bool whole = written == static_cast<ssize_t>(text.size());
  if (::close(descriptor) != 0) whole = false;
  if (!whole) ::unlink(path.c_str());
  return whole;
}

bool make_folder(const std::string& path) {
  std::error_code problem;
  fs::create_directories(path, problem);
  if (problem) errno = problem.value();
  return !problem;
}

std::optional<fs::path> real_path(const fs::path& path) {
  std::error_code problem;
  auto out = fs::canonical(path, problem);
  if (problem) return std::nullopt;
  return out;
}

std::string_view reason_of(int code) noexcept {
  switch (code) {
    case ENOSPC:
    case EDQUOT: return "is full";
    case EACCES:
    case EPERM:
    case EROFS: return "may not be written by this process";
    case EMFILE:
    case ENFILE: return "cannot be written: too many open files";
    default: return "cannot be written";
  }
}

}  // namespace

hub_repository::hub_repository(hub_cache cache, const std::string& id, bool links)
    : root_(std::move(cache.root)), place_(std::move(cache.place)), folder_(hub_folder(id)), links_(links) {}

error hub_repository::not_writable() const {
  return fail(errc::io, "the Hugging Face cache (" + place_ + ") " + std::string(reason_of(errno)),
              std::string(refusal::cache_not_writable));
}

std::string hub_repository::snapshot(const std::string& commit) const {
  return root_ + "/" + folder_ + "/snapshots/" + commit;
}

std::string hub_repository::blob(const std::string& etag) const {
  return root_ + "/" + folder_ + "/blobs/" + etag;
}

std::string hub_repository::incomplete(const std::string& etag) const {
  sha256 hash;
  hash.update("lorica " + etag);
  return blob(etag) + "." + adapter_version{hash.finish()}.hex().substr(0, suffix_digits) + ".incomplete";
}

std::string hub_repository::lock(const std::string& etag) const {
  return root_ + "/.locks/" + folder_ + "/" + etag + ".lock";
}

result<void> hub_repository::prepare(const std::string& commit) const {
  auto here = root_ + "/" + folder_;
  for (auto& folder : {here + "/blobs", here + "/refs", snapshot(commit), root_ + "/.locks/" + folder_})
    if (!make_folder(folder)) return not_writable();
  // Only a courtesy to backups: when it cannot be written, nothing is lost.
  write_new(root_ + "/CACHEDIR.TAG", cache_tag);
  return {};
}

bool hub_repository::has(const std::string& commit, const std::string& name) const {
  auto root = real_path(root_);
  auto file = real_path(snapshot(commit) + "/" + name);
  if (!root || !file) return false;
  bool inside = std::mismatch(root->begin(), root->end(), file->begin(), file->end()).first == root->end();
  std::error_code problem;
  return inside && fs::is_regular_file(*file, problem);
}

bool hub_repository::has(const std::string& commit, const std::string& name, std::uint64_t size) const {
  std::error_code problem;
  return has(commit, name) && fs::file_size(snapshot(commit) + "/" + name, problem) == size && !problem;
}

result<void> hub_repository::link(const std::string& commit, const std::string& name,
                                  const std::string& etag) const {
  auto at = snapshot(commit) + "/" + name;
  auto target = "../../blobs/" + etag;
  if (::unlink(at.c_str()) != 0 && errno != ENOENT) return not_writable();
  if (links_ && ::symlink(target.c_str(), at.c_str()) == 0) return {};
  if (links_ && errno == EEXIST && has(commit, name)) return {};  // another process was faster
  bool no_links = !links_ || errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;
  if (!no_links || ::rename(blob(etag).c_str(), at.c_str()) != 0) return not_writable();
  return {};
}

result<void> hub_repository::refer(const std::string& revision, const std::string& commit) const {
  if (revision == commit) return {};
  auto at = root_ + "/" + folder_ + "/refs/" + revision;
  constexpr std::size_t longest = 1024;
  if (auto now = read_file(at, longest); now && *now == commit) return {};
  auto temporary = at + "." + random_suffix() + ".tmp";
  if (!make_folder(fs::path(at).parent_path().string()) || !write_new(temporary, commit))
    return not_writable();
  if (::rename(temporary.c_str(), at.c_str()) == 0) return {};
  auto why = not_writable();
  ::unlink(temporary.c_str());
  return why;
}

}  // namespace lorica
