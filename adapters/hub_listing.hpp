#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace lorica {

/// A file of a repository as its listing has it.
struct hub_file {
  std::string name;        ///< in the repository's root
  std::uint64_t size = 0;  ///< bytes
  std::string git_oid;     ///< SHA-1 of the git blob, 40 digits; of LFS files that of the pointer; or empty
  std::string sha256;      ///< of LFS files, 64 digits; else empty
};

/// The commit in the reply to `/api/models/ID/revision/REV`. `errc::bad_adapter`, `hub_unreachable`, when it
/// is not what the Hub sends.
result<std::string> parse_revision(std::string_view body);

/// Picks from a listing, page by page, what an adapter consists of: `adapter_config.json` and
/// `adapter_model.safetensors`, else the only `.gguf`. Names are compared byte by byte. What it keeps does
/// not grow with the listing.
class hub_choice {
 public:
  /// A page of the reply to `/api/models/ID/tree/REV`. Fails, and then for good, with `hub_unreachable` for
  /// what the Hub does not send, `path_not_allowed` for a path that leaves the repository, `too_large` beyond
  /// 200,000 entries.
  result<void> take_page(std::string_view body);

  /// The files to fetch, config first. Fails with `errc::unknown_adapter`, `missing_file`, or
  /// `pickle_refused` when there is no weight file but pickles.
  result<std::vector<hub_file>> chosen(const std::string& id) const;

 private:
  result<void> take(hub_file file);

  std::uint64_t entries_ = 0;
  std::uint64_t gguf_files_ = 0;
  bool pickle_ = false;
  std::vector<hub_file> config_;   // none or one
  std::vector<hub_file> weights_;  // none or one
  std::vector<hub_file> gguf_;     // none or one: the first
};

/// True for a path that stays in its repository: relative, with '/' between parts of 1 to 255 bytes, none of
/// them `.` or `..`, no backslash, colon after one letter, or control character.
bool is_repository_path(std::string_view path) noexcept;

}  // namespace lorica
