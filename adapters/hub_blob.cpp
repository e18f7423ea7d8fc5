#include "adapters/hub_blob.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "adapters/refusal.hpp"

namespace lorica {
namespace {

constexpr mode_t any_file = 0666;  // the process's mask decides
constexpr std::size_t slice = std::size_t{8} << 20;
constexpr std::size_t block = std::size_t{256} << 10;

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (auto byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

void close_if_open(int& descriptor) noexcept {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

// A lock that was taken on a file that somebody removed meanwhile locks nobody out.
bool is_still_named(int descriptor, const std::string& path) noexcept {
  struct stat held {};
  struct stat named {};
  return ::fstat(descriptor, &held) == 0 && ::stat(path.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

}  // namespace

hub_blob::hub_blob(const hub_repository& repository, hub_expectation wanted)
    : repository_(repository), wanted_(std::move(wanted)) {}

hub_blob::~hub_blob() {
  close_if_open(file_);
  close_if_open(lock_);  // this releases the lock; the file stays, as its other users expect
}

result<bool> hub_blob::lock() {
  auto path = repository_.lock(wanted_.etag);
  close_if_open(lock_);
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, any_file);
  if (lock_ < 0) return repository_.not_writable();
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    bool busy = errno == EWOULDBLOCK || errno == EAGAIN || errno == EINTR || errno == EACCES;
    // A file system without locks: as huggingface_hub, go on; the digests are what protects the content.
    if (!busy) return true;
    close_if_open(lock_);
    return false;
  }
  if (is_still_named(lock_, path)) return true;
  close_if_open(lock_);
  return false;
}

bool hub_blob::is_there() const {
  std::error_code problem;
  auto path = repository_.blob(wanted_.etag);
  return std::filesystem::is_regular_file(path, problem) &&
         std::filesystem::file_size(path, problem) == wanted_.size && !problem;
}

result<void> hub_blob::open() {
  close_if_open(file_);
  file_ = ::open(repository_.incomplete(wanted_.etag).c_str(),
                 O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, any_file);
  struct stat facts {};
  if (file_ < 0 || ::fstat(file_, &facts) != 0) return repository_.not_writable();
  if (!S_ISREG(facts.st_mode)) {
    errno = EACCES;
    return repository_.not_writable();
  }
  size_ = 0;
  found_ = static_cast<std::uint64_t>(facts.st_size);
  begin_hashes();
  if (found_ > wanted_.size) return restart();
  return {};
}

void hub_blob::begin_hashes() {
  sha256_ = wanted_.sha256.empty() ? nullptr : std::make_unique<sha256>();
  sha1_ = wanted_.git_oid.empty() ? nullptr : std::make_unique<sha1>();
  // git hashes a header of kind and size, with a zero at its end, before the content.
  if (sha1_) sha1_->update("blob " + std::to_string(wanted_.size) + std::string(1, '\0'));
}

void hub_blob::hash(std::span<const std::byte> bytes) {
  if (sha256_) sha256_->update(bytes);
  if (sha1_) sha1_->update(bytes);
}

result<bool> hub_blob::take_up() {
  std::vector<std::byte> bytes(std::min<std::uint64_t>(block, found_ - size_));
  for (std::size_t done = 0; done < slice && size_ < found_;) {
    auto want = std::min<std::uint64_t>(bytes.size(), found_ - size_);
    auto got = ::pread(file_, bytes.data(), want, static_cast<off_t>(size_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return repository_.not_writable();
    if (got == 0) found_ = size_;  // somebody shortened it
    hash(std::span(bytes).first(static_cast<std::size_t>(got)));
    size_ += static_cast<std::uint64_t>(got);
    done += static_cast<std::size_t>(got);
  }
  return size_ == found_;
}

result<void> hub_blob::append(std::span<const std::byte> bytes) {
  if (bytes.size() > wanted_.size - size_)
    return refused(refusal::digest_mismatch, wanted_.name + " is longer than the " +
                                                 std::to_string(wanted_.size) +
                                                 " bytes that the Hub says it has");
  while (!bytes.empty()) {
    auto put = ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return repository_.not_writable();
    auto written = bytes.first(static_cast<std::size_t>(put));
    hash(written);
    // The disk begins early, so that the last `fsync` is short.
    if (size_ / slice != (size_ + written.size()) / slice)
      ::sync_file_range(file_, 0, 0, SYNC_FILE_RANGE_WRITE);
    size_ += written.size();
    bytes = bytes.subspan(written.size());
  }
  return {};
}

result<void> hub_blob::restart() {
  if (::ftruncate(file_, 0) != 0) return repository_.not_writable();
  size_ = 0;
  found_ = 0;
  begin_hashes();
  return {};
}

bool hub_blob::digests_agree() {
  if (sha256_ && hex(sha256_->finish()) != wanted_.sha256) return false;
  return !sha1_ || hex(sha1_->finish()) == wanted_.git_oid;
}

result<bool> hub_blob::settle() {
  if (!digests_agree()) {
    if (auto ok = restart(); !ok) return ok.error();
    return false;
  }
  if (::fsync(file_) != 0) return repository_.not_writable();
  auto from = repository_.incomplete(wanted_.etag);
  if (::rename(from.c_str(), repository_.blob(wanted_.etag).c_str()) != 0) return repository_.not_writable();
  close_if_open(file_);
  return true;
}

}  // namespace lorica
