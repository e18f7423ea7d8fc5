#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "core/error.hpp"
#include "cpu/packed_file.hpp"
#include "cpu/packed_weights.hpp"

namespace lorica {

/// What a directory of packed weights may hold.
struct packed_limits {
  std::size_t files = 8;
  std::uint64_t bytes = std::uint64_t{16} << 30;
};

/// A directory of packed weights for later starts, safe to delete at any time and to share between processes:
/// files appear whole by a rename, and readers read what they opened. Files of other names are left alone.
/// Stateless but for its settings; any thread.
class packed_cache {
 public:
  explicit packed_cache(std::string directory, packed_limits limits = {})
      : directory_(std::move(directory)), limits_(limits) {}

  /// What was kept for `key`, now the one used last; null when there is nothing. Fails with `errc::io` when
  /// there is something that is not to be used, or with `errc::out_of_memory`. The text is to be read after
  /// "it".
  result<std::unique_ptr<const packed_weights>> load(const model_weights& model, const packed_key& key,
                                                     thread_team& team) const;

  /// Keeps `contents` under `key`, in place of what is there. The directory is made if it is missing (0700,
  /// as are those above it); it must be this user's and for nobody else to write. Those used longest ago go
  /// first, until the new one is within the limits. Fails with `errc::io`, or with `errc::cancelled` soon
  /// after a stop is asked for; nothing of it is left then. A file size limit of the process is an error
  /// where the thread blocks SIGXFSZ.
  result<void> keep(const packed_key& key, std::span<const std::byte> contents,
                    const std::stop_token& stop) const;

 private:
  std::string directory_;
  packed_limits limits_;
};

}  // namespace lorica
