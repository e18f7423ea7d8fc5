#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapters/catalogue_record.hpp"
#include "core/error.hpp"

namespace lorica {

/// The catalogue that survives a restart: `catalogue.sqlite3` in the data directory, one row per base model
/// and name. A plain class of one thread, blocking; the object holds `catalogue.lock`, so that one process
/// has the directory. Rows of other bases stay as they are.
///
/// Texts of errors hold neither paths nor texts of SQLite. After an error of `write` the object can be used
/// further; what the failed call carried is then not kept, or (when the disk failed under the last step)
/// perhaps kept until the next write.
class catalogue_store {
 public:
  /// Bound of the records of one base.
  static constexpr std::size_t most_records = 200'000;

  /// Makes the directory (mode 0700, not its parents) and the file (0600) when they are not there. Fails with
  /// `errc::bad_config` (the directory cannot be used, is in use by another process, or holds a catalogue
  /// that is damaged, foreign or of a newer format; the text says what helps) or `errc::io`.
  static result<catalogue_store> open(const std::string& data_dir,
                                      const std::array<std::uint8_t, 32>& base_digest);

  catalogue_store(catalogue_store&& other) noexcept;
  catalogue_store& operator=(catalogue_store&&) = delete;
  ~catalogue_store();

  /// The records of this base, by name. Every one was checked; fails with `errc::bad_config` when one is not
  /// what was written, or with `errc::io`.
  result<std::vector<catalogue_record>> load();

  /// Applies all changes in order, or none; on return they survive a loss of power. Fails with
  /// `errc::invalid` (a record that `load` would refuse), `errc::out_of_memory` (above `most_records`) or
  /// `errc::io`.
  result<void> write(std::span<const catalogue_change> changes);

 private:
  struct database;
  explicit catalogue_store(std::unique_ptr<database> open) noexcept;
  std::unique_ptr<database> database_;
};

}  // namespace lorica
