#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace lorica {

/// Keys that open something, known by their SHA-256 only. Comparing takes the same time whatever was sent.
/// Not changed once it is shared.
class key_list {
 public:
  /// Adds a key; an empty one means none.
  void add(std::string_view key);

  /// Adds the keys of a file's text: one a line, or its hash as `sha256:` and 64 hex digits; blanks around
  /// it, empty lines and lines that begin with `#` do not count. Fails with `errc::bad_config` naming
  /// `setting` (without dashes) and the line, never what is in it.
  result<void> add_lines(std::string_view text, std::string_view setting);

  /// True when `key` is one of them. All are looked at.
  bool holds(std::string_view key) const;

  /// True when some key is in both.
  bool overlaps(const key_list& other) const;

  bool empty() const noexcept { return digests_.empty(); }
  std::size_t size() const noexcept { return digests_.size(); }

 private:
  using digest = std::array<std::uint8_t, 32>;
  bool holds_digest(const digest& given) const noexcept;

  std::vector<digest> digests_;
};

/// Keys of one kind from a setting that is a key and one that names a file, both may be empty. Fails as
/// `add_lines` and `read_secret_file` do; a file without keys is an error, since it would let everybody in.
result<key_list> read_keys(std::string_view key, const std::string& file, std::string_view file_setting);

}  // namespace lorica
