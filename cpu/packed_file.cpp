#include "cpu/packed_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "core/checksum.hpp"
#include "core/field_hash.hpp"
#include "cpu/packed_weights.hpp"

namespace lorica {
namespace {

constexpr std::size_t part_bytes = std::size_t{4} << 20;
constexpr std::size_t synced_bytes = 8 * part_bytes;  // at most so many wait for the disk at once
constexpr std::size_t digest_digits = 64;
constexpr std::string_view suffix = ".packed";

/// The beginning of a file; zeros up to `packed_header_bytes` follow.
struct file_header {
  std::array<char, 16> magic = {'l', 'o', 'r', 'i', 'c', 'a', ' ', 'p', 'a', 'c', 'k', 'e', 'd', '\n'};
  std::uint32_t layout_version = packed_layout_version;
  std::uint8_t dtype = 0;
  std::uint8_t int8 = 0;
  std::uint8_t instructions = 0;
  std::uint8_t unused = 0;
  std::array<std::uint8_t, 32> weights = {};
  std::uint64_t contents_bytes = 0;
  std::uint64_t contents_checksum = 0;  ///< of the checksums of the parts of 4 MiB
};
static_assert(std::has_unique_object_representations_v<file_header>);
static_assert(std::is_trivially_copyable_v<file_header> && sizeof(file_header) <= packed_header_bytes);

file_header header_of(const packed_key& key, std::uint64_t contents_bytes) {
  file_header out;
  out.dtype = static_cast<std::uint8_t>(key.mode.dtype);
  out.int8 = key.mode.int8 ? 1 : 0;
  out.instructions = static_cast<std::uint8_t>(key.instructions);
  out.weights = key.weights;
  out.contents_bytes = contents_bytes;
  return out;
}

error unusable(std::string_view what) {
  return fail(errc::io, std::string(what));
}

/// Reads all of `out` from `offset` on; 0, an error number, or -1 at the end of the file.
int read_all(int file, std::span<std::byte> out, std::uint64_t offset) noexcept {
  while (!out.empty()) {
    const auto got = ::pread(file, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return -1;
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return 0;
}

/// Writes all of `bytes` at `offset`; 0 or an error number.
int write_all(int file, std::span<const std::byte> bytes, std::uint64_t offset) noexcept {
  while (!bytes.empty()) {
    const auto put = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? errno : EIO;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return 0;
}

error read_failure(int number) {
  if (number < 0) return unusable("is cut short");
  return unusable("cannot be read: " + std::string(problem_text(number)));
}

/// Size of a file that may be read at all.
result<std::uint64_t> trusted_size(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return read_failure(errno);
  if (!S_ISREG(status.st_mode)) return unusable("is not a regular file");
  if (status.st_uid != ::geteuid()) return unusable("belongs to another user");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) return unusable("may be written by others");
  return static_cast<std::uint64_t>(status.st_size);
}

/// The checksum of the contents that a header claims, if it is the one that is wanted.
result<std::uint64_t> check_header(const file_header& found, const file_header& wanted) {
  if (found.magic != wanted.magic) return unusable("is not a file of packed weights");
  if (found.layout_version != wanted.layout_version)
    return unusable("has another layout (version " + std::to_string(found.layout_version) + ")");
  if (found.weights != wanted.weights) return unusable("is of another model");
  auto same = wanted;
  same.contents_checksum = found.contents_checksum;
  if (std::memcmp(&found, &same, sizeof same) != 0)
    return unusable("is of another mode, instruction set or size");
  return found.contents_checksum;
}

constexpr std::size_t parts_of(std::size_t bytes) noexcept {
  return (bytes + part_bytes - 1) / part_bytes;
}

template <class Byte>
std::span<Byte> part_of(std::span<Byte> contents, std::size_t part) noexcept {
  const auto from = part * part_bytes;
  return contents.subspan(from, std::min(part_bytes, contents.size() - from));
}

std::uint64_t checksum_of(const std::vector<std::uint64_t>& parts) noexcept {
  return checksum(std::as_bytes(std::span(parts)));
}

}  // namespace

std::string_view problem_text(int number) noexcept {
  switch (number) {
    case ENOSPC: return "the disk is full";
    case EDQUOT: return "the disk quota is used up";
    case EFBIG: return "the file would be larger than is allowed";
    case EROFS: return "the file system is read-only";
    case EACCES:
    case EPERM: return "this user may not";
    case ENOENT: return "it is gone";
    case ENOTDIR: return "something in the way is not a directory";
    case EISDIR:
    case ENOTEMPTY: return "a directory is in the way";
    case EMFILE:
    case ENFILE: return "too many open files";
    default: return "input or output failed";
  }
}

std::string packed_file_name(const packed_key& key) {
  field_hash hash;
  hash.raw("lorica packed\n");
  hash.number(packed_layout_version);
  hash.raw(std::as_bytes(std::span(key.weights)));
  hash.text(to_string(key.mode));
  hash.text(to_string(key.instructions));
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (auto byte : hash.finish()) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out.append(suffix);
}

bool is_packed_file_name(std::string_view name) noexcept {
  return name.size() == digest_digits + suffix.size() && name.ends_with(suffix) &&
         std::ranges::all_of(name.substr(0, digest_digits),
                             [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

result<void> read_packed_file(int file, const packed_key& key, thread_team& team, std::span<std::byte> out) {
  auto size = trusted_size(file);
  if (!size) return size.error();
  file_header found;
  if (auto bad = read_all(file, std::as_writable_bytes(std::span(&found, 1)), 0); bad != 0)
    return read_failure(bad);
  auto claimed = check_header(found, header_of(key, out.size()));
  if (!claimed) return claimed.error();
  if (*size < packed_header_bytes + out.size()) return unusable("is cut short");
  if (*size > packed_header_bytes + out.size()) return unusable("has more bytes than it tells");
  std::vector<std::uint64_t> sums(parts_of(out.size()));
  std::atomic<int> problem = 0;
  team.run([&](unsigned member) {
    const auto mine = share_of(static_cast<std::uint32_t>(sums.size()), member, team.members());
    for (auto part = mine.first; part < mine.last && problem.load(std::memory_order_relaxed) == 0; ++part) {
      const auto bytes = part_of(out, part);
      if (auto bad = read_all(file, bytes, packed_header_bytes + std::uint64_t{part} * part_bytes); bad != 0)
        return problem.store(bad, std::memory_order_relaxed);
      sums[part] = checksum(bytes);
    }
  });
  if (problem != 0) return read_failure(problem);
  if (checksum_of(sums) != *claimed) return unusable("is damaged: its checksum is wrong");
  return {};
}

result<void> write_packed_file(int file, const packed_key& key, std::span<const std::byte> contents,
                               const std::stop_token& stop) {
  auto failed = [](int number) { return fail(errc::io, std::string(problem_text(number))); };
  const auto size = static_cast<off_t>(packed_header_bytes + contents.size());
  // Tells at once that there is no room. File systems that cannot do it tell while writing.
  if (::fallocate(file, 0, 0, size) != 0 && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
    return failed(errno);
  std::vector<std::uint64_t> sums(parts_of(contents.size()));
  for (std::size_t part = 0; part < sums.size(); ++part) {
    if (stop.stop_requested()) return fail(errc::cancelled, "the server ends");
    const auto bytes = part_of(contents, part);
    sums[part] = checksum(bytes);
    if (auto bad = write_all(file, bytes, packed_header_bytes + part * part_bytes); bad != 0)
      return failed(bad);
    if ((part + 1) % (synced_bytes / part_bytes) == 0 && ::fdatasync(file) != 0) return failed(errno);
  }
  auto header = header_of(key, contents.size());
  header.contents_checksum = checksum_of(sums);
  if (auto bad = write_all(file, std::as_bytes(std::span(&header, 1)), 0); bad != 0) return failed(bad);
  if (::fsync(file) != 0) return failed(errno);
  return {};
}

}  // namespace lorica
