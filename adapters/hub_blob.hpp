#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "adapters/hub_repository.hpp"
#include "core/error.hpp"
#include "core/sha1.hpp"
#include "core/sha256.hpp"

namespace lorica {

/// What a file must be when it is whole.
struct hub_expectation {
  std::string name;        ///< for error texts
  std::string etag;        ///< what the blob is called
  std::uint64_t size = 0;  ///< bytes
  std::string sha256;      ///< 64 digits, or empty
  std::string git_oid;     ///< SHA-1 of the git blob, 40 digits, or empty
};

/// A blob on its way into the cache: locked against other writers (huggingface_hub takes the same lock),
/// begun or gone on with where an earlier attempt ended, hashed as it grows, and renamed when it is right.
/// What is there stays when the object goes, for the next attempt. One thread. Failures of the disk are
/// `cache_not_writable`.
class hub_blob {
 public:
  hub_blob(const hub_repository& repository, hub_expectation wanted);
  ~hub_blob();
  hub_blob(const hub_blob&) = delete;
  hub_blob& operator=(const hub_blob&) = delete;

  /// Tries to take the lock without waiting; false: somebody else has it.
  result<bool> lock();

  /// The blob is there already, whole as far as its size tells. Only under the lock.
  bool is_there() const;

  /// Opens what there is of the blob, maybe nothing.
  result<void> open();

  /// Hashes at most 8 MiB of what was there; true when `size` has reached it.
  result<bool> take_up();

  /// Bytes that are there and hashed.
  std::uint64_t size() const noexcept { return size_; }
  bool is_full() const noexcept { return size_ == wanted_.size; }

  /// Appends; fails with `digest_mismatch` beyond the expected size, without having written.
  result<void> append(std::span<const std::byte> bytes);

  /// Forgets every byte.
  result<void> restart();

  /// A full blob whose digests are right is made durable and gets its name; false: they are wrong, and every
  /// byte is forgotten.
  result<bool> settle();

 private:
  void hash(std::span<const std::byte> bytes);
  void begin_hashes();
  bool digests_agree();

  const hub_repository& repository_;
  hub_expectation wanted_;
  int lock_ = -1;
  int file_ = -1;
  std::uint64_t found_ = 0;  // bytes that lay there when it was opened
  std::uint64_t size_ = 0;
  std::unique_ptr<sha256> sha256_;
  std::unique_ptr<sha1> sha1_;
};

}  // namespace lorica
